# Sourced by the installers. What they print for their caller goes to file descriptor 3; everything
# that tools say, to stderr.
exec 3>&1 1>&2

cache="${SBT_CACHE:-$HOME/.cache/sbt}"
mkdir -p "$cache"

# One installer at a time.
exec 9>"$cache/lock"
flock 9

# The folder of what the given files describe: another text, another folder.
folder_of() {
    local name=$1
    shift
    echo "$cache/$name-$(cat "$@" | sha256sum | cut -c1-12)"
}

# Whether a folder was filled to the end, and its sealed files are as they were then.
intact() {
    [ -f "$1/SHA256SUMS" ] && (cd "$1" && sha256sum --check --quiet SHA256SUMS)
}

# Notes the hashes of all files in some folders of a folder: the last step of an install.
seal() {
    local folder=$1
    shift
    (cd "$folder" && find -L "$@" -type f -exec sha256sum {} + >SHA256SUMS.new)
    mv "$folder/SHA256SUMS.new" "$folder/SHA256SUMS"
}

pip_install() {
    python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes "$@"
}

answer() {
    printf 'export %s=%q\n' "$1" "$2" >&3
}
