/** What each shell reads: all of them ask `skiff __complete` and know nothing of verbs themselves, so they need no update. */

const bash = String.raw`# Completion of skiff for bash. Load it now:      source <(skiff completion bash)
# For each session: skiff completion bash > ~/.local/share/bash-completion/completions/skiff
_skiff() {
  local line=${'${COMP_LINE:0:COMP_POINT}'} candidate prefix current
  local -a words
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current=${'${words[${#words[@]}-1]}'}
  # Bash takes : and = for the ends of words: what stands before them is not to be repeated.
  prefix=${'${current%"${current##*[:=]}"}'}
  [[ $COMP_WORDBREAKS == *:* || $prefix != *: ]] || prefix=
  COMPREPLY=()
  while IFS= read -r candidate; do
    if [[ $candidate == :file ]]; then
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "${'${current##*[:=]}'}")
      return
    fi
    candidate=${"${candidate%%$'\\t'*}"}
    COMPREPLY+=("${'${candidate#"$prefix"}'}")
  done < <("${'${words[0]}'}" __complete "${'${words[@]:1}'}" 2>/dev/null)
  [[ ${'${#COMPREPLY[@]}'} -eq 1 && ${'${COMPREPLY[0]}'} == *= ]] && compopt -o nospace 2>/dev/null
}
complete -F _skiff skiff
`;

const zsh = String.raw`#compdef skiff
# Completion of skiff for zsh. Load it now:      source <(skiff completion zsh)
# For each session: skiff completion zsh > "${'${fpath[1]}'}/_skiff"
_skiff() {
  local line value about
  local -a lines described
  lines=("${'${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}'}")
  for line in "${'${lines[@]}'}"; do
    if [[ $line == :file ]]; then
      _files
      return
    fi
    [[ -z $line ]] && continue
    value="${"${line%%$'\\t'*}"}"
    about="${"${line#*$'\\t'}"}"
    [[ $about == $line ]] && about=
    described+=("${'${value//:/\\\\:}'}${'${about:+:$about}'}")
  done
  _describe -V 'skiff' described
}
if [[ $funcstack[1] == _skiff ]]; then
  _skiff "$@"
else
  compdef _skiff skiff
fi
`;

const fish = String.raw`# Completion of skiff for fish. Load it now:      skiff completion fish | source
# For each session: skiff completion fish > ~/.config/fish/completions/skiff.fish
function __skiff_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l lines ($words[1] __complete $words[2..-1] $current 2>/dev/null)
    if test "$lines" = :file
        __fish_complete_path $current
    else
        printf '%s\n' $lines
    end
end
complete -c skiff -f -k -a '(__skiff_complete)'
`;

const powershell = String.raw`# Completion of skiff for PowerShell. Load it now:      skiff completion powershell | Out-String | Invoke-Expression
# For each session: add that line to the file that $PROFILE names.
Register-ArgumentCompleter -Native -CommandName 'skiff' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.StartOffset -lt $cursorPosition } | ForEach-Object { "$_" })
    if ($wordToComplete -eq '') { $words += '""' }
    $arguments = @($words | Select-Object -Skip 1)
    $lines = @(& $words[0] __complete @arguments 2>$null)
    if ($lines.Count -eq 1 -and $lines[0] -eq ':file') { return }
    foreach ($line in $lines) {
        $value, $about = $line -split ${'"`t"'}, 2
        if (-not $about) { $about = $value }
        [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $about)
    }
}
`;

export const completionScripts: Readonly<Record<string, string>> = { bash, fish, powershell, zsh };
