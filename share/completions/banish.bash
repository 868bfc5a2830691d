# Completion of banish for bash: source this file, or put it into
# /usr/share/bash-completion/completions/banish

_banish() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local verbs="run demo status bans ban unban allow top events reload confirm resume why match replay check config doctor"
    local everywhere="-c --config -s --socket --state -v --verbose -q --quiet -h --help"
    local verb="" each skip=""

    # The verb is the first word that is neither a flag nor the value of one.
    for each in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [[ -n $skip ]]; then
            skip=""
        elif [[ $each =~ ^(-c|--config|-s|--socket|--state)$ ]]; then
            skip=yes
        elif [[ $each != -* && -z $verb ]]; then
            verb=$each
        fi
    done

    case $before in
        -c | --config | --state)
            mapfile -t COMPREPLY < <(compgen -d -- "$word")
            return
            ;;
        -s | --socket)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return
            ;;
    esac

    local flags=""
    case $verb in
        "") flags="$verbs --version" ;;
        run) flags="--dry-run" ;;
        status) flags="--json --watch -w --every" ;;
        config | doctor | why | demo) flags="--json" ;;
        check) flags="--no-cache --json" ;;
        bans) flags="--jail --json" ;;
        ban) flags="--for --json" ;;
        unban) flags="--jail --all --json" ;;
        allow) flags="--jail --json" ;;
        events) flags="--since --kind --json" ;;
        reload) flags="--dry-run --confirm --restart --unban --json" ;;
        match) flags="--filter --jail --regex --all --now --json" ;;
        replay) flags="--jail --speed --now --json" ;;
    esac

    if [[ $word == -* || -z $verb ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$flags $everywhere" -- "$word")
    elif [[ $verb == match || $verb == replay ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}

complete -o filenames -F _banish banish
