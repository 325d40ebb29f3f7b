FROM python:3.11-slim
COPY pyproject.toml README.md LICENSE constraints.txt /src/
COPY proxysync /src/proxysync
RUN apt-get update && apt-get install -y --no-install-recommends git openssh-client \
    && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir --constraint /src/constraints.txt '/src[web]' \
    && useradd --system --uid 999 --create-home proxysync \
    && install -d -o proxysync -g proxysync /state
USER proxysync
ENV PROXYSYNC_STATE_DIR=/state
VOLUME /state
# A daemon that goes on dates its lock anew twice a minute; the longest write takes two.
HEALTHCHECK --interval=1m --timeout=15s --start-period=1m \
    CMD find "$PROXYSYNC_STATE_DIR/daemon.lock" -mmin -5 | grep -q .
ENTRYPOINT ["proxysync"]
CMD ["run"]
