"""The scripts that let a shell ask c2v what can come next; ``completions/`` has them as files.

Each leaves it to the shell to offer files where c2v has nothing to offer.
"""

_BASH = r"""_c2v_completion() {
    local IFS=$'\n' word
    COMPREPLY=()
    while read -r word; do
        COMPREPLY+=("$word")
    done < <(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" \
                 _C2V_COMPLETE=complete_bash "$1" 2>/dev/null)
    # Paths, and names with spaces, are quoted by bash; behind a folder no space is added.
    case "${COMPREPLY[*]}" in
        *[/\ ]*) compopt -o filenames 2>/dev/null ;;
    esac
    case "${COMPREPLY[*]}" in
        */) compopt -o nospace 2>/dev/null ;;
    esac
    return 0
}

complete -o bashdefault -o default -F _c2v_completion c2v
"""

_ZSH = r"""#compdef c2v

_c2v_completion() {
  local line answer
  local -a names shown
  answer=$(env _TYPER_COMPLETE_ARGS="${(pj:\n:)words[1,CURRENT]}" \
               _C2V_COMPLETE=complete_zsh c2v 2>/dev/null)
  for line in ${(f)answer}; do
    names+=("${line%%$'\t'*}")
    shown+=("${line/$'\t'/  -- }")
  done
  if (( ! ${#names} )); then
    _files
  elif [[ ${names[1]} == */ ]]; then
    compadd -S '' -l -d shown -a names
  else
    compadd -l -d shown -a names
  fi
}

if [[ $funcstack[1] == _c2v ]]; then
  _c2v_completion "$@"
else
  compdef _c2v_completion c2v
fi
"""

_FISH = r"""function __c2v_complete
    set -l typed (commandline -cp | string collect)
    set -l found (env _C2V_COMPLETE=complete_fish _TYPER_COMPLETE_ARGS="$typed" c2v 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end

complete --no-files --arguments "(__c2v_complete)" --command c2v
"""

_POWERSHELL = r"""$c2vCompletion = {
    param($wordToComplete, $commandAst, $cursorPosition)
    $Env:_C2V_COMPLETE = "complete_powershell"
    $Env:_TYPER_COMPLETE_ARGS = $commandAst.ToString()
    $Env:_TYPER_COMPLETE_WORD_TO_COMPLETE = $wordToComplete
    c2v 2>$null | ForEach-Object {
        $value, $meaning = $_ -split ":::", 2
        $written = if ($value -match "\s") { "'" + $value.Replace("'", "''") + "'" } else { $value }
        if (-not $meaning) { $meaning = $value }
        [System.Management.Automation.CompletionResult]::new(
            $written, $value, "ParameterValue", $meaning)
    }
    Remove-Item Env:_C2V_COMPLETE, Env:_TYPER_COMPLETE_ARGS, Env:_TYPER_COMPLETE_WORD_TO_COMPLETE
}
Register-ArgumentCompleter -Native -ScriptBlock $c2vCompletion -CommandName c2v
"""

SCRIPTS = {
    "bash": _BASH,
    "zsh": _ZSH,
    "fish": _FISH,
    "powershell": _POWERSHELL,
    "pwsh": _POWERSHELL,
}
