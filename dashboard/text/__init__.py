"""Values as text and markup."""
