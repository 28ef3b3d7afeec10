"""Long work in many parts: studies."""
