"""Devices, number formats, random numbers and machines: where computing meets hardware."""
