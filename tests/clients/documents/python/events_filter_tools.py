# Document 001, "Tool Filtering", as it stands there.
filter = EventSubscriptionFilter(
    tool_names=["Edit", "Read", "Bash"]
)
