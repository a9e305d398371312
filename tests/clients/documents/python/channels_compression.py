# Document 002, "Compression", as it stands there.
# Enable compression for WebSocket
async with websockets.connect(
    uri,
    compression="deflate",
    extra_headers={"Authorization": f"Bearer {api_key}"}
) as ws:
    # Compressed messages
    pass
