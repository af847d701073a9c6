"""``ringfence completion``, and the candidates that the shells and kubectl ask for.

The shells' scripts and kubectl all call ``kubectl_complete-ringfence`` with the
words typed so far. It answers as kubectl's plugin completion expects
(https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/): one
candidate a line, a tab before its description, then ``:`` and a directive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click
from click.shell_completion import ShellComplete

COMPLETER = "kubectl_complete-ringfence"
_FILES, _NO_FILES = ":0", ":4"  # cobra's ShellCompDirective: default, no file names

_SCRIPTS = {
    "bash": """\
# Load with: source <(ringfence completion bash)
_ringfence() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        [[ $line == :* ]] || COMPREPLY+=("${line%%$'\\t'*}")
    done < <(@COMPLETER@ "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _ringfence ringfence
""",
    "zsh": """\
#compdef ringfence
# Load with: source <(ringfence completion zsh)
_ringfence() {
    local line
    local -a found
    for line in "${(@f)$(@COMPLETER@ "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        [[ $line == :* || -z $line ]] || found+=("${${line//:/\\\\:}/$'\\t'/:}")
    done
    if (( $#found )); then _describe ringfence found; else _files; fi
}
compdef _ringfence ringfence
""",
    "fish": """\
# Load with: ringfence completion fish | source
function __ringfence_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l lines (@COMPLETER@ $words[2..] 2>/dev/null)
    string match -v ':*' -- $lines
    contains -- :0 $lines; and __fish_complete_path $words[-1]
end
complete -c ringfence -f -a '(__ringfence_complete)'
""",
}


@click.command()
@click.argument("shell", type=click.Choice(tuple(_SCRIPTS)))
def completion(shell: str) -> None:
    """Print a completion script for SHELL; its first lines say how to load it."""
    click.echo(_SCRIPTS[shell].replace("@COMPLETER@", COMPLETER), nl=False)


def candidates(command: click.Command, words: Sequence[str]) -> Iterator[str]:
    """Yield the lines that answer kubectl: what the last of the words may become."""
    *typed, last = words or [""]
    completer = ShellComplete(command, {}, "ringfence", "")
    files = False
    for item in completer.get_completions(typed, last):
        if item.type == "plain":
            yield f"{item.value}\t{item.help}" if item.help else item.value
        else:
            files = True
    yield _FILES if files else _NO_FILES
