"""Time: grains, spans, the watermark, calendar arithmetic. Pure; imports nothing of the other rooms."""
