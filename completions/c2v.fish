function __c2v_complete
    set -l typed (commandline -cp | string collect)
    set -l found (env _C2V_COMPLETE=complete_fish _TYPER_COMPLETE_ARGS="$typed" c2v 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end

complete --no-files --arguments "(__c2v_complete)" --command c2v
