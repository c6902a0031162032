#!/bin/sh
# Puts Proven's one line into the web UI of Proxmox VE, and takes it out again. Installed as /usr/lib/proven/patch-ui.
#
#   patch-ui apply  [--root DIR]   the line stands once, right after pvemanagerlib.js; with /etc/proven/ui-disabled: as remove;
#                                  it names the gateway's port where /etc/proven/agent.toml has another than 8421
#   patch-ui remove [--root DIR]   the template is byte for byte what its package shipped
#
# Maintainer scripts run it, so it always exits 0: what it can't do it says in one line on stderr and leaves the template as it was.
# pveproxy renders the template for every request, so a change counts at once.

LC_ALL=C
export LC_ALL
umask 077

action=${1:-}
root=
if [ "${2:-}" = --root ]; then root=${3:-}; fi

template=$root/usr/share/pve-manager/index.html.tpl
loader=$root/usr/share/pve-manager/js/proven-host.js
disabled=$root/etc/proven/ui-disabled
settings=$root/etc/proven/agent.toml

# Only the desktop page has it: consoles and the mobile page stay as they are.
anchor='<script[^>]*src="/pve2/js/pvemanagerlib\.js'
ours='^[[:space:]]*<script[^>]*src="/pve2/js/proven-host\.js[^>]*></script>[[:space:]]*$'

finish() {
  [ -z "${new:-}" ] || rm -f "$new"
  [ $# -eq 0 ] || echo "proven-ui: $*" >&2
  exit 0
}

# `port` of the table `gateway`, in any way that TOML has to write it in one line: below its header, as gateway.port, as gateway = { port = … }.
gateway_port() {
  awk '
    function bare(text) { gsub(/[[:space:]"\047]/, "", text); return text }
    function number(text) { gsub(/[_+]/, "", text); return text ~ /^[0-9][0-9]?[0-9]?[0-9]?[0-9]?$/ ? text : "" }
    { sub(/[[:space:]]*#.*/, "") }
    /^[[:space:]]*\[/ { table = bare($0); next }
    !/=/ { next }
    {
      key = bare(substr($0, 1, index($0, "=") - 1))
      value = bare(substr($0, index($0, "=") + 1))
      if (table != "") key = substr(table, 2, length(table) - 2) "." key
      if (key == "gateway.port") port = number(value)
      if (key == "gateway" && match(value, /[{,]port=[^,}]*/)) port = number(substr(value, RSTART + 6, RLENGTH - 6))
    }
    END { print port }'
}

case $action in
  apply | remove) ;;
  *) finish "usage: patch-ui apply|remove [--root DIR]" ;;
esac

template=$(readlink -f "$template") && [ -f "$template" ] || finish "no web UI here: $root/usr/share/pve-manager/index.html.tpl is missing"
# One of us at a time: dpkg's trigger and the switch's service may come together.
exec 9<"$(dirname "$template")" && flock -w 60 9 || finish "another run does not end: $template left as it is"
if [ "$action" = apply ] && { [ -e "$disabled" ] || [ ! -f "$loader" ]; }; then action=remove; fi

# A fixed name, so that whatever an interrupted run left is overwritten by the next one.
new=$template.proven-new
rm -f "$new" "$new.2"
trap 'rm -f "$new" "$new.2"' EXIT
trap 'exit 0' HUP INT TERM

sed "/$(printf %s "$ours" | sed 's:/:\\/:g')/d" "$template" >"$new" || finish "cannot write beside $template: left as it is"

if [ "$action" = apply ]; then
  count=$(grep -o "$anchor" "$new" | wc -l)
  [ "$count" -eq 1 ] || finish "the line of pvemanagerlib.js is there $count times instead of once: $template left as it is, no Proven tab"
  ! grep -q 'proven-host\.js' "$new" || finish "somebody else's line names proven-host.js: $template left as it is"
  line=$(grep -n "$anchor" "$new" | cut -d : -f 1)
  [ "$(wc -l <"$new")" -ge "$line" ] || finish "the line of pvemanagerlib.js has no end: $template left as it is"

  # The gateway's, where it is not the one that the loader knows.
  port=
  if [ -f "$settings" ]; then port=$(gateway_port <"$settings"); fi
  case $port in '' | 0 | 8421) port= ;; *) port=" data-port=\"$port\"" ;; esac
  version=$(sha256sum "$loader" | cut -c 1-12)
  indent=$(sed -n "${line}s/^\([[:blank:]]*\).*/\1/p" "$new")
  cr=
  if sed -n "${line}p" "$new" | grep -q "$(printf '\r')\$"; then cr=$(printf '\r'); fi
  {
    head -n "$line" "$new" &&
      printf '%s<script type="text/javascript" src="/pve2/js/proven-host.js?ver=%s"%s></script>%s\n' "$indent" "$version" "$port" "$cr" &&
      tail -n "+$((line + 1))" "$new"
  } >"$new.2" && mv "$new.2" "$new" || finish "cannot write beside $template: left as it is"
fi

if cmp -s "$new" "$template"; then finish; fi
# On the disk before it takes the name: after a power cut there is the old file or the new one.
if chmod --reference="$template" "$new" && chown --reference="$template" "$new" && sync "$new" && mv -f "$new" "$template"; then
  finish
fi
finish "cannot replace $template: left as it is"
