-- A private Prosody for tests and the demo: loopback only, every path and port from the environment,
-- so that a run has a fresh directory. It never touches the system's configuration.
local dir = ENV_SUBROSA_DIR
local function port(name) return tonumber(name) end

run_as_root   = true            -- refused for uid 0 otherwise; means nothing to others
admin_socket  = dir .. "/admin.sock"
pidfile       = dir .. "/prosody.pid"
data_path     = dir .. "/data"
certificates  = dir .. "/certs"
plugin_paths  = { dir .. "/modules" }
interfaces    = { "127.0.0.1" }
c2s_ports     = { port(ENV_SUBROSA_PORT) }
c2s_direct_tls_ports = { port(ENV_SUBROSA_TLS_PORT) }
s2s_ports     = {}
http_ports    = {}
https_ports   = {}

modules_enabled = {
  "roster"; "saslauth"; "tls"; "disco"; "ping"; "time"; "version"; "posix"; "carbons"; "pep";
  "private"; "bookmarks"; "blocklist"; "vcard4"; "vcard_legacy"; "smacks"; "csi"; "csi_simple"; "mam"; "offline";
  "admin_shell";                -- for what a client can't bring about
  "stanza_record";              -- ours, beside this file: what the server saw
}
modules_disabled = { "s2s" }
allow_registration = false
authentication = "internal_plain"
storage = "internal"
archive_expires_after = "never"
default_archive_policy = true
storage_archive_item_limit = 1000000  -- at its limit every further message rewrites the whole archive
c2s_require_encryption = false  -- clear text on the loopback, for the peers that have no other way
allow_unencrypted_plain_auth = true
smacks_hibernation_time = 60
pep_max_items = 10000
limits = {}

ssl = { certificate = dir .. "/certs/localhost.crt"; key = dir .. "/certs/localhost.key" }
log = { { levels = { min = ENV_SUBROSA_LOG or "info" }, to = "file", filename = dir .. "/log/prosody.log" } }

VirtualHost "localhost"

Component "rooms.localhost" "muc"
modules_enabled = { "muc_mam" }
muc_log_by_default = true
restrict_room_creation = false
