# Sourced by the scripts beside it, in the repository's root: which stack, which environment.
fail() {
    echo "$(basename "$0" .sh): $*" >&2
    exit 1
}

stack=${STACK:-onedl}
case $stack in
    onedl) venv=.venv ;;
    upstream) venv=.venv-upstream ;;
    *) fail "STACK=$stack is unknown: leave it out for the maintained forks, or say upstream." ;;
esac
