# Sourced, from the checkout's folder, by whatever runs other people's tools: a folder that is gone
# afterwards, commands that speak only when they fail, and virtualenvs outside the checkout.

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
log=$scratch/log
cache=${XDG_CACHE_HOME:-$HOME/.cache}/identity-workflows

# Runs a command; says something only if it fails.
quietly() {
    if ! "$@" >"$log" 2>&1; then
        echo ".ci/$(basename "$0"): failed: $*" >&2
        cat "$log" >&2
        exit 1
    fi
}

# A virtualenv with these packages. The mark is set last, so that an interrupted installation is done
# again.
installed() {
    local venv=$1
    shift
    if [[ ! -e $venv/complete ]]; then
        rm -rf "$venv"
        quietly python3 -m venv "$venv"
        quietly "$venv/bin/pip" install --quiet --disable-pip-version-check "$@"
        touch "$venv/complete"
    fi
}
