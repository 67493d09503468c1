_c2v_completion() {
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
