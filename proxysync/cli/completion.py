"""Prints a completion script for a shell.

bash:  proxysync completion bash > ~/.local/share/bash-completion/completions/proxysync
zsh:   proxysync completion zsh > "${fpath[1]}/_proxysync"
fish:  proxysync completion fish > ~/.config/fish/completions/proxysync.fish
"""

import argparse

import shtab

from proxysync.cli.main import build_parser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish", "tcsh"))


def run(arguments: argparse.Namespace) -> int:
    print(shtab.complete(build_parser(complete=True), shell=arguments.shell))
    return 0
