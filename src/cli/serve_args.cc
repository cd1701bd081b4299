#include "cli/serve_args.h"

#include <sys/stat.h>

#include <cctype>
#include <filesystem>

#include "base/strings.h"
#include "cli/environment.h"
#include "cli/output.h"

namespace lfm::cli {
namespace {

constexpr int64_t kDefaultPort = 8080;
constexpr int64_t kMaxDrainSeconds = 24 * 3600;
constexpr int64_t kMaxConnections = 1'000'000;

Error BadUsage(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

Status Between(const std::string& flag, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return Ok();
  return BadUsage(StrCat(flag, ": ", value, " is not between ", least, " and ", most));
}

}  // namespace

void ServeArgs::DeclareAddress(Args& args) {
  args.Texts("--host", hosts, "ADDRESS", "where to listen (default 127.0.0.1); several by commas or by repeating it");
  args.Integer("--port", port, "N", "the port (default 8080; 0: any free one)");
  args.Texts("--listen", listen, "ADDRESS", "HOST:PORT or unix:PATH, instead of --host and --port; may be repeated");
  args.Text("--tls-cert", tls_cert, "FILE", "TLS: the certificate chain in PEM");
  args.Text("--tls-key", tls_key, "FILE", "TLS: its key in PEM");
  args.Integer("--max-connections", max_connections, "N", "connections at a time (default 2048)");
  args.Integer("--drain-timeout", drain_timeout, "SECONDS", "after SIGTERM, how long running answers may take (default 30)");
}

void ServeArgs::DeclareAccess(Args& args) {
  args.Text("--api-key-file", api_key_file, "FILE",
            "keys, one a line: KEY or sha256:HEX, then label= rpm= tpm= budget=; read again on SIGHUP");
  args.Texts("--api-key", api_keys, "KEY", "a key; other users of this machine can see it; may be repeated");
  args.Flag("--no-auth", no_auth, "let everybody in who can reach an address beyond loopback");
  args.Texts("--allow-host", allowed_hosts, "NAME", "a further name of this server in Host headers; * for any; may be repeated");
  args.Texts("--cors-origin", cors_origins, "ORIGIN",
             "pages that may use this server: https://example.org, or localhost for those of this machine; may be repeated");
}

void ServeArgs::DeclareRecords(Args& args) {
  args.Text("--ledger", ledger, "FILE", "the ledger of all answers; none: keep none (default: in ~/.local/state/lfm)");
  args.Choice("--log", log, {"all", "errors", "none"}, "requests to log on standard error (default all)");
  args.Flag("--log-prompts", log_prompts, "log what requests say, too");
  args.Text("--metrics-prefix", metrics_prefix, "PREFIX", "of the metrics that have vLLM's names (default vllm:)");
}

Status ServeArgs::CheckMetricsPrefix() const {
  const std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:0123456789";
  const bool begins_well = metrics_prefix.empty() || std::isdigit(static_cast<unsigned char>(metrics_prefix[0])) == 0;
  if (begins_well && metrics_prefix.find_first_not_of(allowed) == std::string::npos) return Ok();
  return BadUsage(StrCat("--metrics-prefix: '", metrics_prefix, "' cannot begin a metric's name; use letters, digits, _ and :"));
}

Result<server::ServerOptions> ServeArgs::Options() const {
  server::ServerOptions options;
  options.inherited = InheritedSockets();
  options.addresses = listen;
  LFM_RETURN_IF_ERROR(Between("--port", port.value_or(kDefaultPort), 0, 65535));
  const bool asked = !hosts.empty() || port;
  if (asked || (listen.empty() && options.inherited.empty())) {
    std::vector<std::string> names;
    for (const std::string& list : hosts) {
      for (size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
        end = list.find(',', begin);
        names.push_back(list.substr(begin, end == std::string::npos ? end : end - begin));
      }
    }
    if (names.empty()) names.emplace_back("127.0.0.1");
    for (const std::string& name : names) {
      if (name.empty()) return BadUsage("--host: the address is empty; use 127.0.0.1, ::1, a name, or 0.0.0.0");
      const bool bare_v6 = name.find(':') != std::string::npos && !name.starts_with('[');
      const std::string number = std::to_string(port.value_or(kDefaultPort));
      options.addresses.push_back(bare_v6 ? StrCat("[", name, "]:", number) : StrCat(name, ":", number));
    }
  }
  if (tls_cert.empty() != tls_key.empty()) return BadUsage("--tls-cert and --tls-key need each other");
  options.tls = {tls_cert, tls_key};
  options.no_auth = no_auth;
  options.allowed_hosts = allowed_hosts;
  options.cors_origins = cors_origins;
  LFM_RETURN_IF_ERROR(Between("--drain-timeout", drain_timeout.value_or(30), 0, kMaxDrainSeconds));
  options.timeouts.drain = static_cast<double>(drain_timeout.value_or(30));
  LFM_RETURN_IF_ERROR(Between("--max-connections", max_connections.value_or(1), 1, kMaxConnections));
  if (max_connections) options.max_connections = static_cast<int>(*max_connections);
  return options;
}

Result<std::shared_ptr<server::KeyRing>> ServeArgs::Keys() const {
  std::vector<server::KeyEntry> fixed;
  const auto add = [&fixed](const std::string& text, const char* source) -> Status {
    auto keys = server::ParseKeys(text);
    if (!keys.ok()) return keys.error().Within(source);
    if (keys->empty()) return BadUsage(StrCat(source, ": the key is empty"));
    for (server::KeyEntry& key : *keys) fixed.push_back(std::move(key));
    return Ok();
  };
  for (const std::string& key : api_keys) LFM_RETURN_IF_ERROR(add(key, "--api-key"));
  if (const auto key = Variable("LFM_API_KEY")) LFM_RETURN_IF_ERROR(add(*key, "LFM_API_KEY"));
  if (!api_keys.empty()) Warn("other users of this machine can see --api-key in the list of processes; --api-key-file hides it");
  return server::KeyRing::Load(std::move(fixed), api_key_file);
}

std::string DefaultLedgerPath() {
  const std::string folder = StateFolder();
  return folder.empty() ? "" : folder + "/ledger.db";
}

Result<std::unique_ptr<server::Ledger>> ServeArgs::OpenLedger() const {
  if (ledger == "none") return std::unique_ptr<server::Ledger>();
  if (!ledger.empty()) return server::Ledger::Open(ledger);
  const std::string path = DefaultLedgerPath();
  if (path.empty()) {
    Warn("there is no folder for the ledger (neither XDG_STATE_HOME nor HOME is set); none is kept, --ledger FILE names one");
    return std::unique_ptr<server::Ledger>();
  }
  std::error_code ignored;  // what is wrong shows when the ledger is opened
  std::filesystem::create_directories(StateFolder(), ignored);
  auto opened = server::Ledger::Open(path);
  if (opened.ok()) return opened;
  Warn(StrCat(opened.error().message, "; none is kept"));
  return std::unique_ptr<server::Ledger>();
}

Result<std::unique_ptr<server::RequestLog>> ServeArgs::MakeLog() const {
  if (log == "none") return std::unique_ptr<server::RequestLog>();
  return server::RequestLog::Start({.fd = 2, .only_errors = log == "errors", .prompts = log_prompts});
}

}  // namespace lfm::cli
