// sluice-control: serves the resources of a directory to proxies over xDS, and says how they took them.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/numbers.h"
#include "source/admin/http_endpoint.h"
#include "source/base/text.h"
#include "source/control_plane/client_status.h"
#include "source/control_plane/discovery_server.h"
#include "source/control_plane/grpc_server.h"
#include "source/control_plane/http_api.h"
#include "source/control_plane/intent_store.h"
#include "source/control_plane/listen_address.h"
#include "source/control_plane/load_server.h"
#include "source/control_plane/resource_validator.h"
#include "source/control_plane/tls_files.h"
#include "source/event/directory_watch.h"
#include "source/event/loop.h"
#include "source/extensions/all.h"
#include "source/observability/log.h"
#include "source/observability/log_file.h"
#include "source/observability/stats.h"

namespace sluice::control_plane {
namespace {

constexpr std::string_view kVersion = "0.1.0";
constexpr std::string_view kLog = "main";

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

constexpr std::string_view kHelp =
    "sluice-control: serves the resources of a directory to proxies over xDS\n"
    "\n"
    "  --config DIR        YAML and JSON files: `resources:` with `@type`, or `static_resources:`; `nodes:` selects\n"
    "  --listen ADDR       xDS over gRPC (127.0.0.1:18000)\n"
    "  --http ADDR         status and apply (127.0.0.1:18001)\n"
    "  --tls-certificate FILE, --tls-key FILE\n"
    "                      TLS for xDS: PEM, read again when it changes\n"
    "  --tls-client-ca FILE\n"
    "                      proxies need a certificate of this authority; with --tls-certificate\n"
    "  --load-report-interval-ms N\n"
    "                      how often proxies report their load: 100 to 86400000 (10000)\n"
    "  --token-file FILE   what a writer to the HTTP API has to show; required to write beyond loopback\n"
    "  --log-level LEVEL   trace, debug, info, warning, error, critical, off (info)\n"
    "  --version, --help\n"
    "\n"
    "ADDR is HOST:PORT, [V6]:PORT or unix:PATH; port 0 lets the system choose and prints the choice.\n";

struct Flags {
  std::string config;
  std::string listen = "127.0.0.1:18000";
  std::string http = "127.0.0.1:18001";
  std::string token_file;
  TlsFiles::Paths tls;
  std::chrono::milliseconds load_report_interval{10000};
  observability::LogLevel log_level = observability::LogLevel::kInfo;
};

int usageError(std::string_view message) {
  std::fputs(base::strCat("sluice-control: ", message, "; see --help\n").c_str(), stderr);
  return kExitUsage;
}

// The flags, or the code to exit with.
struct FlagReader {
  Flags flags;
  std::optional<int> exit_code;

  void read(int argc, char** argv) {
    for (int i = 1; i < argc && !exit_code; ++i) {
      const std::string_view argument = argv[i];
      if (argument == "--help" || argument == "-h") {
        std::fputs(std::string(kHelp).c_str(), stdout);
        exit_code = 0;
      } else if (argument == "--version") {
        std::fputs(base::strCat("sluice-control version ", kVersion, "\n").c_str(), stdout);
        exit_code = 0;
      } else {
        const size_t equals = argument.find('=');
        const bool inlined = equals != std::string_view::npos;
        if (!inlined && i + 1 == argc) {
          exit_code = usageError(base::strCat(isFlag(argument) ? "no value for " : "unknown flag ", argument));
        } else {
          take(argument.substr(0, equals), inlined ? argument.substr(equals + 1) : std::string_view(argv[++i]));
        }
      }
    }
    if (exit_code) return;
    if (flags.config.empty()) exit_code = usageError("--config DIR is missing");
    if (flags.tls.certificate.empty() != flags.tls.key.empty()) {
      exit_code = usageError("--tls-certificate and --tls-key belong together");
    } else if (flags.tls.certificate.empty() && !flags.tls.client_ca.empty()) {
      exit_code = usageError("--tls-client-ca needs --tls-certificate and --tls-key: without TLS nobody is checked");
    }
  }

 private:
  static bool isFlag(std::string_view name) {
    return name == "--config" || name == "--listen" || name == "--http" || name == "--token-file" ||
           name == "--log-level" || name == "--tls-certificate" || name == "--tls-key" || name == "--tls-client-ca" ||
           name == "--load-report-interval-ms" || name == "-c" || name == "-l";
  }

  void take(std::string_view name, std::string_view value) {
    if (name == "--config" || name == "-c") {
      flags.config = value;
    } else if (name == "--listen" || name == "--http") {
      if (const auto address = parseListenAddress(value); !address.ok()) {
        exit_code = usageError(base::strCat(name, ": ", base::toStd(address.status().message())));
      }
      (name == "--listen" ? flags.listen : flags.http) = value;
    } else if (name == "--token-file") {
      flags.token_file = value;
    } else if (name == "--tls-certificate") {
      flags.tls.certificate = value;
    } else if (name == "--tls-key") {
      flags.tls.key = value;
    } else if (name == "--tls-client-ca") {
      flags.tls.client_ca = value;
    } else if (name == "--load-report-interval-ms") {
      takeInterval(value);
    } else if (name == "--log-level" || name == "-l") {
      const auto level = observability::logLevelOf(value);
      if (!level) exit_code = usageError(base::strCat("--log-level: no level '", value, "'"));
      flags.log_level = level.value_or(flags.log_level);
    } else {
      exit_code = usageError(base::strCat("unknown flag ", name));
    }
  }

  void takeInterval(std::string_view value) {
    int64_t count = 0;
    const bool number = absl::SimpleAtoi(base::toAbsl(value), &count);
    if (!number || count < LoadServer::kShortestInterval.count() || count > LoadServer::kLongestInterval.count()) {
      exit_code = usageError(base::strCat("--load-report-interval-ms: takes 100 to 86400000, not '", value, "'"));
    }
    flags.load_report_interval = std::chrono::milliseconds(count);
  }
};

// The first line of the file; nullopt if it cannot be read or is empty.
std::optional<std::string> readToken(const std::string& path) {
  std::ifstream file(path);
  std::string token;
  if (!std::getline(file, token) || token.empty()) return std::nullopt;
  while (!token.empty() && (token.back() == '\r' || token.back() == ' ')) token.pop_back();
  return token;
}

int fail(observability::Logger& logger, std::string_view message) {
  logger.critical(kLog, message);
  return kExitFailed;
}

HttpRequest fromEndpoint(const admin::HttpRequest& request) {
  return {.method = request.method,
          .target = request.target,
          .authorization = request.header("authorization"),
          .origin = request.header("origin"),
          .body = request.body};
}

admin::HttpResponse toEndpoint(HttpResponse response) {
  return {.status = static_cast<uint16_t>(response.status),
          .body = std::move(response.body),
          .content_type = std::move(response.content_type)};
}

admin::Admission admit(const HttpApi& api, const admin::HttpRequest& head) {
  const HttpRequest request = fromEndpoint(head);
  admin::Admission admission;
  if (auto refusal = api.refuseBody(request)) {
    admission.refusal = toEndpoint(*std::move(refusal));
  } else if (HttpApi::writes(request)) {
    admission.max_body = kMaxApplyBytes;
  }
  return admission;
}

// What reaches beyond this machine without TLS can be read, and asked for, by anyone on the way.
bool isExposed(const net::Address& listen) {
  return !listen.isLoopback() && !listen.isUnix();
}

void warnOfExposure(const Flags& flags, const net::Address& listen, const net::Address& http,
                    observability::Logger& logger) {
  if (isExposed(http)) {
    logger.warning(kLog, "--http ", flags.http,
                   " is open to the network: anyone who reaches it reads status and resources (private keys are left "
                   "out), and a token on its way to it; listen on 127.0.0.1 or unix:PATH");
  }
  if (!isExposed(listen)) return;
  if (flags.tls.certificate.empty()) {
    logger.warning(kLog, "--listen ", flags.listen,
                   " is open to the network without TLS: anyone who reaches it reads every resource, and can change it "
                   "on its way to a proxy. Secrets are not served there. Give --tls-certificate, --tls-key and "
                   "--tls-client-ca, or listen on 127.0.0.1 or unix:PATH");
  } else if (flags.tls.client_ca.empty()) {
    logger.warning(kLog, "--listen ", flags.listen,
                   " is open to the network and asks nobody for a certificate: anyone who reaches it reads every "
                   "resource, private keys of secrets included. Give --tls-client-ca");
  }
}

int run(const Flags& flags) {
  observability::Logger logger(flags.log_level);
  std::optional<std::string> token;
  if (!flags.token_file.empty()) {
    token = readToken(flags.token_file);
    if (!token) return fail(logger, base::strCat("--token-file ", flags.token_file, " cannot be read or is empty"));
  }
  const auto loop = event::makeLoop();
  config::Registry registry;
  extensions::registerAll(registry);
  const ProxyValidator validator(registry);
  IntentStore store(flags.config, validator, logger);
  const net::Address listen = *parseListenAddress(flags.listen);
  const net::Address http = *parseListenAddress(flags.http);
  warnOfExposure(flags, listen, http, logger);
  DiscoveryServer discovery(
      store, loop->timers(), logger, [] { return std::chrono::system_clock::now(); },
      {.identifier = "sluice-control", .serve_secrets = !isExposed(listen) || !flags.tls.certificate.empty()});

  const auto reload = [&store, &discovery] {
    if (store.reload()) discovery.refresh();
  };
  // The watch first: what changes while the directory is read for the first time is then seen.
  const auto watch = event::DirectoryWatch::start(flags.config, *loop, reload);
  if (!watch.ok()) return fail(logger, base::toStd(watch.status().message()));
  store.reload();

  LoadServer loads(loop->timers(), logger, {.interval = flags.load_report_interval});
  HttpApi api(store, discovery, loads,
              {.token = token, .loopback = http.isLoopback(), .on_applied = [&discovery] { discovery.refresh(); }});
  observability::StatsRegistry stats;
  observability::LogFiles log_files(stats);
  const auto http_server = admin::openHttpEndpoint(
      *loop, http, stats, stats.makeCells(), log_files,
      [&api](const admin::HttpRequest& request) { return toEndpoint(api.handle(fromEndpoint(request))); },
      {.stat_prefix = "api", .admit = [&api](const admin::HttpRequest& head) { return admit(api, head); }});
  if (!http_server.ok()) return fail(logger, base::toStd(http_server.status().message()));
  std::unique_ptr<TlsFiles> tls;
  if (!flags.tls.certificate.empty()) {
    absl::StatusOr<std::unique_ptr<TlsFiles>> files = TlsFiles::start(flags.tls, *loop, logger);
    if (!files.ok()) return fail(logger, base::toStd(files.status().message()));
    tls = *std::move(files);
  }
  const auto open = [&discovery, &loads](std::string_view method, const std::string& address,
                                         MessageWriter& writer) -> std::unique_ptr<ServedStream> {
    if (method == kLoadReportMethod) return loads.open(address, writer);
    if (auto status = openClientStatus(method, discovery, writer)) return status;
    const std::optional<StreamKind> kind = streamKindOf(method);
    return kind ? discovery.open(*kind, address, writer) : nullptr;
  };
  const auto grpc = GrpcServer::start(listen, tls ? &tls->factory() : nullptr, *loop, open, logger);
  if (!grpc.ok()) return fail(logger, base::toStd(grpc.status().message()));

  bool stopping = false;
  const auto stop = [&] {
    if (stopping) std::_Exit(kExitFailed);  // asked twice: at once
    stopping = true;
    logger.info(kLog, "shutting down");
    (*grpc)->shutDown([&loop] { loop->stop(); });
  };
  loop->onSignal(SIGTERM, stop);
  loop->onSignal(SIGINT, stop);

  const std::string http_text = listenAddressText((*http_server)->address());
  logger.info(kLog, "xDS on ", (*grpc)->boundAddress(), ", HTTP on ", http_text);
  std::printf("xds %s\nhttp %s\n", (*grpc)->boundAddress().c_str(), http_text.c_str());
  std::fflush(stdout);
  loop->run();
  return 0;
}

}  // namespace
}  // namespace sluice::control_plane

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  sluice::control_plane::FlagReader reader;
  reader.read(argc, argv);
  return reader.exit_code ? *reader.exit_code : sluice::control_plane::run(reader.flags);
}
