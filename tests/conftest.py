def pytest_collection_modifyitems(items):
    """Chapters: compare what cells print and show, but not stderr, where progress bars and the data banner go."""
    for item in items:
        if hasattr(item.parent, "skip_compare") and "stderr" not in item.parent.skip_compare:
            item.parent.skip_compare += ("stderr",)
