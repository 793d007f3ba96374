"""setup: from nothing to intercepted. What makes mitmproxy and the clients use regtrace."""
