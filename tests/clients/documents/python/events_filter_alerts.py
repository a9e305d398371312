# Document 001, "Cost Monitoring Alerts", as it stands there.
filter = EventSubscriptionFilter(cost_threshold_tokens=10000)
# Automatically receives only high-cost events for alerting
