"""The HTTP API and the page: requests in, values of `app` out. Needs the extra `proxysync[web]`."""
