"""proxy: the only room that imports mitmproxy. Hooks, streaming, captures, live lines."""
