# shellcheck shell=bash
# The virtual environment that the scripts of this folder run in: chosen, made, filled, kept.
# Sourced, never run. What a script does inside the environment is the script's own matter.
#
#   root                              the clone, absolute
#   say TEXT...                       progress and complaints, on standard error
#   fail TEXT...                      the same, then exit status 2
#   find_python LEAST [MOST]          prints a Python 3.LEAST or newer, but no newer than 3.MOST;
#                                     status 1 where there is none
#   environment FOLDER PYTHON EXTRA...
#                                     makes FOLDER hold regtrace, its dependencies and those extras;
#                                     PYTHON is used only where FOLDER has to be made ('' finds one)

oldest_minor=10 # of Python 3; pyproject.toml says so too (requires-python)

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

# What belongs to another environment must not reach into ours.
unset PYTHONHOME PYTHONPATH
export PIP_USER=0 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1

trap 'exit 130' INT # Ctrl-C ends the script, not just the step it is at

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$@"
    exit 2
}

# Prints X.Y.Z. Fails for what is no Python, a version manager's shim for a missing one included.
python_version() {
    local version
    version=$("$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) &&
        [[ $version =~ ^[0-9.]+$ ]] && printf '%s\n' "$version"
}

# suits VERSION LEAST [MOST]: is VERSION Python 3.LEAST or newer, but no newer than 3.MOST?
suits() {
    [[ $1 =~ ^3\.([0-9]+)\. ]] && ((BASH_REMATCH[1] >= $2 && BASH_REMATCH[1] <= ${3-99}))
}

find_python() {
    local python
    for python in python3 python3.{14,13,12,11,10} "${HOME:-}"/.pyenv/versions/3.{14,13,12,11,10}.*/bin/python3; do
        if suits "$(python_version "$python")" "$@"; then
            printf '%s\n' "$python"
            return
        fi
    done
    return 1
}

# Prints what the environment in FOLDER would be stamped with today. Fails where it does not hold
# what it must: half-made, made by a Python that was upgraded since, or copied from elsewhere.
stamp_of() {
    "$1/bin/python" - "$root" "$1" 2>/dev/null <<'PYTHON'
import hashlib, importlib.metadata, os, sys

root, folder = sys.argv[1:]
if os.path.realpath(sys.prefix) != os.path.realpath(folder):
    sys.exit(1)
for name in ("regtrace", "mitmproxy"):
    importlib.metadata.version(name)
with open(os.path.join(root, "pyproject.toml"), "rb") as pyproject:
    print(hashlib.sha256(b"\n".join([folder.encode(), sys.version.encode(), pyproject.read()])).hexdigest())
PYTHON
}

# is_fresh FOLDER EXTRA...: nothing to do? Answers without pip, in a blink.
is_fresh() {
    local folder=$1 key kept_key kept_extras extra
    shift
    { read -r kept_key kept_extras <"$folder/stamp"; } 2>/dev/null || return 1
    key=$(stamp_of "$folder") && [[ $key == "$kept_key" ]] || return 1
    for extra in "$@"; do
        [[ " $kept_extras " == *" $extra "* ]] || return 1
    done
}

# Can pip go on in FOLDER? Where it says it lives tells a moved or copied environment from a sound one.
is_usable() {
    suits "$(python_version "$1/bin/python")" "$oldest_minor" &&
        [[ $("$1/bin/pip" --version 2>/dev/null) == *" from $1/"* ]]
}

make_environment() {
    local folder=$1 python=$2 version package=python3-venv
    if [[ -z $python ]] && ! python=$(find_python "$oldest_minor"); then
        version=$(python_version python3) || version=
        fail "regtrace needs Python 3.$oldest_minor or newer; ${version:+python3 is $version, and }none was found." \
            "Debian 12, Ubuntu 22.04 and later have one: apt-get install python3 python3-venv"
    fi
    version=$(python_version "$python") || fail "$python is not a Python that runs."
    suits "$version" "$oldest_minor" ||
        fail "regtrace needs Python 3.$oldest_minor or newer; $python is $version."
    [[ $python == python3 ]] || package=python${version%.*}-venv
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python ($version) lacks the venv module. On Debian or Ubuntu run: apt-get install $package"
    say "Making the virtual environment ${folder#"$root"/} with Python $version ..."
    { rm -rf -- "$folder" && mkdir -p -- "$folder"; } 2>/dev/null ||
        fail "$folder can't be written. Clone the project into a folder of your own."
    "$python" -m venv -- "$folder" ||
        fail "$python -m venv $folder failed (its reason is above)."
}

environment() {
    local folder=$1 python=$2 extras log
    shift 2
    if is_fresh "$folder" "$@"; then
        return
    fi
    is_usable "$folder" || make_environment "$folder" "$python"
    log=$folder/install.log
    { rm -f -- "$folder/stamp" && : >"$log"; } 2>/dev/null ||
        fail "$folder belongs to somebody else. Run this as its owner, or remove it."
    extras=$(IFS=, && printf '%s' "$*")
    say "Installing regtrace and what it needs${extras:+ ($extras)}: once, about a minute ..."
    if ! (cd -- "$root" && "$folder/bin/python" -m pip install --editable ".${extras:+[$extras]}") >"$log" 2>&1; then
        { grep -E 'ERROR:|Retrying' -- "$log" | tail -n 4 && tail -n 1 -- "$log"; } >&2
        fail "pip could not install what pyproject.toml names (all it said: ${log#"$root"/})." \
            "It needs a network: behind a proxy set HTTPS_PROXY, for a package index of your own" \
            "PIP_INDEX_URL. Then run this again."
    fi
    printf '%s %s\n' "$(stamp_of "$folder")" "$*" >"$folder/stamp"
}
