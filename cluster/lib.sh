# shellcheck shell=bash
# What the scripts in this folder share: where things are, how Debian packages are installed, the one
# command that builds the release program, and how processes are started, recognised and stopped. To be sourced, not run.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
run_directory=${RINGPOST_RUN_DIRECTORY:-$repository/cluster/.run}
build_log=$run_directory/build.log
build_command=(swift build -c release -Xswiftc -enforce-exclusivity=unchecked)
# shellcheck disable=SC2034  # used by those who source this
built_binary=$repository/.build/release/ringpost

say() { printf '%s\n' "$*"; }

fail() {
    printf '%s: %s\n' "cluster/${0##*/}" "$1" >&2
    shift
    if (($# > 0)); then printf '  %s\n' "$@" >&2; fi
    exit 1
}

# The last lines of a log, indented, so that they can be told from our own sentences.
show_tail() {
    local file=$1 lines=${2:-15}
    if [[ -s $file ]]; then
        printf '  --- last lines of %s\n' "${file#"$repository"/}" >&2
        tail -n "$lines" "$file" | sed 's/^/  | /' >&2
    else
        printf '  (%s is empty)\n' "${file#"$repository"/}" >&2
    fi
}

# One script at a time works on cluster/.run. Descriptor 9 holds the lock; whatever is started closes it, or the lock would outlive us.
take_lock() {
    mkdir -p "$run_directory"
    exec 9>"$run_directory/lock"
    if ! flock --nonblock 9; then
        say "another cluster/up or cluster/down is at work here; waiting for it"
        flock --timeout 1800 9 || fail "the other one has held $run_directory/lock for half an hour: see what it does and try again"
    fi
}

# install_packages PACKAGE...: installs what Debian's package data base doesn't show as installed, and asks for nothing else.
install_packages() {
    local package missing=() log=$run_directory/apt.log
    command -v dpkg-query >/dev/null || fail "this installs Debian packages, but there is no dpkg-query here" \
        "on another system, install what these contain by hand: $*"
    for package in "$@"; do
        [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    if ((${#missing[@]} == 0)); then return; fi
    if ((EUID != 0)); then
        fail "${missing[*]} not installed, and installing needs root; run this, then try again:" \
            "sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
    fi
    say "installing ${missing[*]} (apt's output goes to ${log#"$repository"/})"
    mkdir -p "$run_directory"
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null 9>&-; then
        show_tail "$log"
        fail "apt-get could not install ${missing[*]}"
    fi
}

require_swift() {
    command -v swift >/dev/null || fail "there is no swift on the PATH: install Swift 6.3 (https://www.swift.org/install/linux)"
}

# Builds .build/release/ringpost.
build_release() { build_product ringpost; }

# build_product PRODUCT: builds .build/release/PRODUCT. Turning run-time exclusivity checks off saves 30 % of the user instructions on
# the way of a message; the debug build, which the tests use, keeps them.
build_product() {
    local began=$SECONDS command=("${build_command[@]}" --product "$1")
    require_swift
    mkdir -p "$run_directory"
    say "building $1 (the first time takes several minutes; tail -f ${build_log#"$repository"/} shows how far it is)"
    if ! (cd "$repository" && "${command[@]}") >"$build_log" 2>&1 9>&-; then
        show_tail "$build_log" 30
        fail "the build failed: ${command[*]}"
    fi
    say "built $1 in $((SECONDS - began)) s"
}

# ---- Measurements. A page in docs/measurements has text that people write, and between two marks what a tool has measured.

# Prints which commit is measured, and whether files differ from it. To be asked before the build: the files may change while a tool runs.
measured_commit() {
    local commit
    commit=$(git -C "$repository" rev-parse --short HEAD 2>/dev/null) || commit=unknown
    if [[ $commit != unknown && -n $(git -C "$repository" status --porcelain -- . ':!docs/measurements') ]]; then commit+=' + changes'; fi
    printf '%s\n' "$commit"
}

# Prints the machine in a few words.
machine_text() {
    local model kibibytes
    model=$(sed -n '/^model name/{s/^[^:]*: *//;p;q}' /proc/cpuinfo)
    kibibytes=$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo)
    printf '%s cores (%s), %s GiB, Linux %s\n' "$(nproc --all)" "${model:-unknown processor}" $(((kibibytes + 524288) / 1048576)) "$(uname -r)"
}

# refuse_to_write_parts OPTIONS ARGUMENT...: a page shows a whole run of what was built here, so none of these options may be given.
refuse_to_write_parts() {
    local argument options=" $1 "
    shift
    if [[ -n ${RINGPOST_BINARY-} ]]; then fail "--write is for the program that is built here, not for RINGPOST_BINARY"; fi
    for argument in "$@"; do
        if [[ $options == *" ${argument%%=*} "* ]]; then fail "--write shows a whole run: leave out ${argument%%=*}"; fi
    done
}

# write_measurement PAGE SECTION COMMIT RUN TABLE: puts the file TABLE between the marks of the section, under date, commit and machine. RUN is
# the command that has made it.
write_measurement() {
    local page=$1 section=$2 commit=$3 run=$4 table=$5 first last fresh
    first="<!-- measured: $section -->"
    last="<!-- end of measured: $section -->"
    if ! grep -qxF -- "$first" "$page" || ! grep -qxF -- "$last" "$page"; then fail "$page has no marks of a section $section"; fi
    mkdir -p "$run_directory"
    fresh=$(mktemp "$run_directory/measurement.XXXXXX")
    {
        sed "/^$first\$/q" "$page"
        printf '| | |\n| --- | --- |\n| date | %s UTC |\n| commit | %s |\n' "$(date -u '+%Y-%m-%d %H:%M')" "$commit"
        printf '| machine | %s |\n| command | %s |\n\n' "$(machine_text)" "\`$run\`"
        cat "$table"
        sed -n "/^$last\$/,\$p" "$page"
    } >"$fresh"
    cat "$fresh" >"$page"
    rm -f "$fresh"
    say "written to ${page#"$repository"/}"
}

# measure PAGE SECTION COMMIT RUN TABLE TOOL...: runs the tool, which leaves its table in the file TABLE, and writes that into the page,
# whatever it says. Ends as the tool does.
measure() {
    local page=$repository/docs/measurements/$1.md section=$2 commit=$3 run=$4 table=$5 status=0
    shift 5
    rm -f "$table"
    "$@" || status=$?
    if [[ -s $table ]]; then write_measurement "$page" "$section" "$commit" "$run" "$table"; fi
    exit "$status"
}

# ---- Processes. A pid file holds "pid start-time"; the start time (field 22 of /proc/PID/stat) tells our process from a later one
# that was given the same pid.

# Prints the start time of a live process. A zombie counts as gone: in a container nobody may ever reap it.
start_time() {
    local stat fields
    # cat, because bash 5.2 ends the whole script, whatever follows, when the file of a "$(<file)" is missing under set -e.
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # The second field is the program's name in parentheses, which may hold anything: cut through the last one.
    read -r -a fields <<<"${stat##*) }"
    [[ ${fields[0]} != [ZX] ]] || return 1
    printf '%s\n' "${fields[19]}"
}

pid_file() { printf '%s/%s.pid\n' "$run_directory" "$1"; }
log_file() { printf '%s/%s.log\n' "$run_directory" "$1"; }

# Prints the pid of NAME if it is running, and fails if it isn't.
pid_of() {
    local pid recorded
    { read -r pid recorded <"$(pid_file "$1")"; } 2>/dev/null || return 1
    [[ $pid =~ ^[0-9]+$ && $(start_time "$pid") == "$recorded" ]] || return 1
    printf '%s\n' "$pid"
}

is_running() { pid_of "$1" >/dev/null; }

# Removes the pid file of a process that has gone, and says so.
clear_stale() {
    local file pid=
    file=$(pid_file "$1")
    [[ -e $file ]] || return 0
    if is_running "$1"; then return 0; fi
    { read -r pid _ <"$file"; } 2>/dev/null || true
    if [[ $pid =~ ^[0-9]+$ ]] && start_time "$pid" >/dev/null; then
        say "$1: pid $pid belongs to another program by now; its old pid file is cleared, that program is left alone"
    else
        say "$1: process ${pid:-(unreadable pid)} is gone without cluster/down; its old pid file is cleared"
    fi
    rm -f "$file"
}

# start_process NAME COMMAND...: starts it in a session of its own, so that it outlives this shell. Keeps one older log.
start_process() {
    local name=$1 log pid interrupted='' saved
    shift
    log=$(log_file "$name")
    if [[ -e $log ]]; then mv -f "$log" "$log.old"; fi
    # An interrupt between the start and the pid file would leave a process that nobody knows: hold it back until the file is written.
    saved=$(trap -p INT TERM)
    trap 'interrupted=yes' INT TERM
    (
        ulimit -n "$(ulimit -Hn)"
        exec setsid nohup "$@" </dev/null >"$log" 2>&1 9>&-
    ) &
    pid=$!
    printf '%s %s\n' "$pid" "$(start_time "$pid" || say 0)" >"$(pid_file "$name")"
    disown "$pid" 2>/dev/null || true
    trap - INT TERM
    eval "$saved"
    if [[ -n $interrupted ]]; then kill -INT $$; fi
}

# stop_processes SECONDS WHY NAME...: SIGTERM in this order, waits for all of them together, then SIGKILL.
stop_processes() {
    local seconds=$1 why=$2 name pid began=$SECONDS said='' left
    shift 2
    for name in "$@"; do
        clear_stale "$name"
        if pid=$(pid_of "$name"); then
            kill -TERM "$pid" 2>/dev/null || true
        fi
    done
    while true; do
        left=()
        for name in "$@"; do
            if is_running "$name"; then
                left+=("$name")
            elif [[ -e $(pid_file "$name") ]]; then
                rm -f "$(pid_file "$name")"
                say "stopped $name"
            fi
        done
        if ((${#left[@]} == 0)); then return; fi
        if ((SECONDS - began >= seconds)); then break; fi
        if [[ -z $said ]] && ((SECONDS - began >= 2)); then
            say "waiting for ${left[*]} ($why, at most $seconds s)"
            said=yes
        fi
        sleep 0.1
    done
    for name in "${left[@]}"; do
        if pid=$(pid_of "$name"); then
            say "$name (pid $pid) did not stop within $seconds s: killing it"
            kill -KILL "$pid" 2>/dev/null || true
        fi
        rm -f "$(pid_file "$name")"
    done
}

# Names of all recorded processes with this prefix, in order: recorded_names n, recorded_names zookeeper-
recorded_names() {
    local file
    for file in "$run_directory/$1"[0-9]*.pid; do
        if [[ -e $file ]]; then basename "$file" .pid; fi
    done
}
