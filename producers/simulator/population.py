"""The customers and products of the simulated shop."""

from __future__ import annotations

import itertools
import random
from bisect import bisect
from typing import Any

COUNTRIES = (
    ("United Kingdom", 40), ("Germany", 12), ("France", 9), ("United States", 9), ("Netherlands", 6), ("Spain", 5),
    ("Ireland", 4), ("Italy", 4), ("Sweden", 3), ("Poland", 3), ("Belgium", 2), ("Australia", 2), ("Japan", 1),
)  # fmt: skip
_FIRST = (
    "Ada", "Amir", "Anna", "Ben", "Chloe", "Daan", "Elif", "Emma", "Finn", "Grace", "Hana", "Igor", "Ines", "Jack", "Jonas",
    "Kofi", "Lena", "Leo", "Lucia", "Maja", "Marco", "Mia", "Nina", "Noah", "Olga", "Omar", "Paula", "Rosa", "Tom", "Yuki",
)  # fmt: skip
_LAST = (
    "Adler", "Bakker", "Becker", "Brown", "Costa", "Dubois", "Evans", "Fischer", "Garcia", "Hughes", "Ivanova", "Jansen",
    "Keller", "Larsen", "Lopez", "Martin", "Moreau", "Nowak", "Okafor", "Patel", "Rossi", "Sato", "Smith", "Walsh", "Weber",
)  # fmt: skip
CATEGORIES = ("Kitchen", "Garden", "Toys", "Books", "Lighting", "Stationery", "Decoration", "Textiles", "Outdoor", "Gifts")
_ZIPF = 1.05


class Population:
    """Customers and products, drawn from ``rng``: few customers send most orders, few products make most sales."""

    def __init__(self, rng: random.Random, products: int) -> None:
        self._rng = rng
        self.customers: list[dict[str, Any]] = []
        self.products: list[dict[str, Any]] = []
        self._prices: dict[int, float] = {}
        self._popularity = list(itertools.accumulate(1 / (rank + 3) ** _ZIPF for rank in range(products)))
        self._countries = list(itertools.accumulate(weight for _, weight in COUNTRIES))

    def new_customer(self) -> dict[str, Any]:
        """Add a customer."""
        number = 10_001 + len(self.customers)
        first, last = self._rng.choice(_FIRST), self._rng.choice(_LAST)
        customer = {
            "customer_id": number,
            "name": f"{first} {last}",
            "email": f"{first}.{last}.{number}@example.com".lower(),
            "country": self.country(),
        }
        self.customers.append(customer)
        return customer

    def country(self) -> str:
        """Draw a country by the share of customers who live there."""
        return COUNTRIES[bisect(self._countries, self._rng.random() * self._countries[-1])][0]

    def new_product(self) -> dict[str, Any]:
        """Add a product."""
        number = len(self.products)
        identity, price = 101 + number, round(min(500.0, self._rng.lognormvariate(2.5, 0.8) + 0.5), 2)
        product = {"product_id": identity, "category": CATEGORIES[number % len(CATEGORIES)], "unit_price": price}
        self.products.append(product)
        self._prices[identity] = price
        return product

    def new_price(self, product: dict[str, Any]) -> float:
        """Draw a list price around the first one; a price that drifted for months would have no baseline."""
        return round(max(0.5, self._prices[product["product_id"]] * self._rng.uniform(0.85, 1.18)), 2)

    def customer(self) -> dict[str, Any]:
        """Draw a customer for an order; its own record may not have been sent yet."""
        return self.customers[int(len(self.customers) * self._rng.random() ** 1.7)]

    def product(self) -> dict[str, Any]:
        """Draw a product for an order."""
        return self.products[bisect(self._popularity, self._rng.random() * self._popularity[-1])]
