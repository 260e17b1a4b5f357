
# These functions replace those of the same name above.

# Sets cur, prev, words and cword from the line up to the cursor, where the
# package bash-completion is not loaded.
__moat_init_completion()
{
    local line=${COMP_LINE:0:COMP_POINT} redirection='^[=:0-9]*&?[<>]' i word
    words=() cword=-1
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        # The line is evaluated to ask the program. That must not open the file
        # of a redirection. After one, bash completes files.
        [[ $word =~ $redirection ]] && return 1
        # COMP_WORDBREAKS splits words at = and :. What no space separates is one word.
        if ((cword < 0)) || [[ $line == [[:space:]]* ]]; then
            cword=$((cword + 1))
        fi
        line=${line#"${line%%[![:space:]]*}"}
        ((i < COMP_CWORD)) || word=$line
        words[cword]+=$word
        line=${line#*"$word"}
    done
    ((cword > 0)) || return 1
    cur=${words[cword]} prev=${words[cword - 1]}
}

# Bash replaces only what follows the last : or = of a word, if COMP_WORDBREAKS
# has it. This cuts what stands before that from the completions, also if the
# word has both.
__moat_handle_special_char()
{
    local breaks=${COMP_WORDBREAKS//[^:=]/} i
    [[ $breaks && $1 == *[$breaks]* ]] || return
    for i in "${!COMPREPLY[@]}"; do
        COMPREPLY[i]=${COMPREPLY[i]#"${1%"${1##*[$breaks]}"}"}
    done
}

# Completes files with the package bash-completion. Without it, bash itself does.
__moat_filedir()
{
    ! declare -F _filedir >/dev/null || _filedir "$@"
}
