$c2vCompletion = {
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
