#!/bin/sh
# Runs a proxysync command beside proxysync.service: as its user, with its state and settings.
set -eu
[ -t 0 ] && [ -t 1 ] && how=--pty || how=--pipe
exec systemd-run --quiet --collect --wait "$how" \
    --property=DynamicUser=yes --property=User=proxysync \
    --property=StateDirectory=proxysync --property=StateDirectoryMode=0700 \
    --property=EnvironmentFile=/etc/proxysync/environment \
    --property=LoadCredential=npm_secret:/etc/proxysync/npm_secret \
    --property=UMask=0077 \
    --setenv=PROXYSYNC_FILE=/etc/proxysync/proxies.yaml \
    /opt/proxysync/bin/proxysync "$@"
