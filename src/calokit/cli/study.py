def study() -> None:
    """x"""
