"""Find what is stale, orphaned, damaged or wasteful; plan to tidy it; do it; take it back."""
