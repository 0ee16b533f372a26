package complete

// scripts are the shells' parts: each passes the words up to the cursor to
// `skerry __complete` and shows what comes back.
func scripts() map[string]string {
	return map[string]string{
		"bash": `# skerry completion for bash: source <(skerry completion bash)
_skerry() {
	local IFS=$'\n'
	COMPREPLY=($("${COMP_WORDS[0]}" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
	[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/] ]] && compopt -o nospace
	[[ ${#COMPREPLY[@]} -eq 0 ]] && compopt -o default
}
complete -F _skerry skerry
`,
		"zsh": `#compdef skerry
# skerry completion for zsh: source <(skerry completion zsh)
_skerry() {
	local -a candidates
	candidates=("${(@f)$("${words[1]}" __complete -- "${(@)words[2,$CURRENT]}" 2>/dev/null)}")
	candidates=(${candidates:#})
	if (( ${#candidates} )); then
		compadd -Q -a candidates
	else
		_files
	fi
}
compdef _skerry skerry
`,
		"fish": `# skerry completion for fish: skerry completion fish | source
function __skerry_complete
	set -l words (commandline -opc) (commandline -ct)
	$words[1] __complete -- $words[2..-1] 2>/dev/null
end
complete -c skerry -a '(__skerry_complete)'
`,
	}
}
