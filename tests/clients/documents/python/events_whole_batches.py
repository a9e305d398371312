# Document 001, "3. Process Batches Efficiently", as it stands there.
# Good: Process entire batch at once
for event in batch['events']:
    process_event(event)

# Avoid: One message per event (use batching)
