#include "source/server/server.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <csignal>
#include <fstream>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "source/admin/http_endpoint.h"
#include "source/admin/query.h"
#include "source/base/entropy.h"
#include "source/base/random.h"
#include "source/cache/store.h"
#include "source/event/loop.h"
#include "source/extensions/all.h"
#include "source/jwt/remote_keys.h"
#include "source/net/dns.h"
#include "source/net/socket_source.h"
#include "source/observability/log.h"
#include "source/observability/log_file.h"
#include "source/observability/stats.h"
#include "source/server/admin_state.h"
#include "source/server/cluster_manager.h"
#include "source/server/config_keeper.h"
#include "source/server/core_types.h"
#include "source/server/dynamic_config.h"
#include "source/server/extension_manager.h"
#include "source/server/init_manager.h"
#include "source/server/listener_manager.h"
#include "source/server/load_reporter.h"
#include "source/server/on_demand_clusters.h"
#include "source/server/processors.h"
#include "source/server/resource_key.h"
#include "source/server/route_manager.h"
#include "source/server/scope_manager.h"
#include "source/server/secret_manager.h"
#include "source/server/serving_reporter.h"
#include "source/server/shown_stats.h"
#include "source/server/worker.h"
#include "source/server/xds_transports.h"
#include "source/xds/load_stats_client.h"
#include "source/xds/serving_report.h"

namespace sluice::server {
namespace {

using observability::Logger;

std::string nameOf(const Options& options) {
  return options.config_path.empty() ? "--config-yaml" : options.config_path;
}

void report(const config::ErrorList& errors, const std::string& name) {
  for (const auto& warning : errors.warnings()) std::cerr << "warning: " << warning.toString() << "\n";
  if (errors.empty()) return;
  std::cerr << errors.toString() << "\n";
  std::cerr << "configuration '" << name << "' has " << errors.total()
            << (errors.total() == 1 ? " error\n" : " errors\n");
}

// Anyone can begin UDP sessions, under false names too: all of them together leave the rest of the process half of the
// descriptors.
size_t udpSessionsOf(uint32_t workers) {
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  return std::min<size_t>(filter::DatagramWorker::Budget{}.limit, descriptors.rlim_cur / 2 / workers);
}

// Descriptors that the data plane leaves alone, for admin, xDS, files and names.
int keptDescriptors(rlim_t limit) {
  return static_cast<int>(std::min<rlim_t>(64, limit / 8));
}

class Server {
 public:
  explicit Server(const Options& options) : options_(options), logger_(options.log_level) {}

  int run() {
    config::ErrorList errors;
    config::Positions positions;
    if (!loadBootstrap(options_, bootstrap_, errors, positions)) return refuse(errors);
    extensions::registerAll(registry_);
    makeWorkers();
    if (!options_.report_only.empty()) {
      logger_.warning("http", "requests that break these rules are let through and counted (--report-only): ",
                      http::textOf(options_.report_only));
    }
    CompiledBootstrap compiled;
    services_.emplace(makeServices());
    if (!openConfigStore()) return 1;
    // Interest in RDS, EDS and SDS names is collected from here on.
    makeDynamicConfig();
    const ServingParts serving{*secrets_, [this](const std::string& name) { return clusters_->newInit(name); },
                               [this](const std::string& name) { return listeners_->newInit(name); }};
    if (!compileBootstrap(bootstrap_, config::Context(errors, &positions), *services_, compiled, &serving)) {
      return refuse(errors);
    }
    report(errors, nameOf(options_));
    formatLog(*compiled.settings);
    services_->cluster_exists = [this](std::string_view name) { return clusters_->exists(std::string(name)); };
    if (!start(compiled)) {
      workers_.stop();
      return 1;
    }
    watchSignals();
    main_->run();
    return finish();
  }

 private:
  int refuse(const config::ErrorList& errors) {
    report(errors, nameOf(options_));
    workers_.stop();
    return 1;
  }

  bool openConfigStore() {
    if (options_.config_store.empty()) return true;
    absl::StatusOr<ConfigStore> store = ConfigStore::open(options_.config_store, options_.config_store_key);
    if (!store.ok()) {
      logger_.critical("xds", "--config-store: ", std::string(store.status().message()));
      workers_.stop();
      return false;
    }
    config_keeper_ = std::make_unique<ConfigKeeper>(*main_, logger_, stats_, cells_, *std::move(store));
    return true;
  }

  void formatLog(const config::BootstrapSettings& settings) {
    const std::string& format = options_.log_format.empty() ? settings.log_format : options_.log_format;
    if (!format.empty()) logger_.setFormat(format);
  }

  config::Services makeServices() {
    config::Services services{registry_,     stats_,   log_files_.get(),  cluster_names_,
                              filter_slots_, *routes_, options_.defaults, {}};
    services.secrets = secrets_.get();
    services.scopes = scopes_.get();
    services.cluster_sources = on_demand_.get();
    services.extension_configs = extension_configs_.get();
    services.local_slots = local_slots_;
    services.main = main_services_.get();
    services.checks_fail = checks_fail_;
    services.report_only = options_.report_only;
    services.logger = &logger_;
    return services;
  }

  void makeWorkers() {
    seed_ = base::drawSeed();
    log_files_ = std::make_unique<observability::LogFiles>(stats_);
    log_sink_ = std::make_unique<observability::LogSink>(*log_files_);
    const uint32_t count = options_.concurrency == 0 ? defaultConcurrency() : options_.concurrency;
    const Worker::Surroundings surroundings{
        .log_files = *log_files_,
        .slots = local_slots_,
        .post_to_main = [this](std::function<void()> work) { main_->post(std::move(work)); },
        .retire = [this](std::shared_ptr<const route::Table> table) { main_->post([table = std::move(table)] {}); }};
    for (uint32_t i = 0; i < count; ++i) {
      workers_.add(std::make_unique<Worker>(i, stats_.makeCells(), base::drawSeed(), surroundings));
      workers_.at(i).limitUdpSessions(udpSessionsOf(count));
    }
    main_services_ = std::make_unique<worker::MainServices>(
        *main_, cells_, local_slots_, [this](std::function<void(worker::WorkerServices&)> work) {
          workers_.at(0).post([work = std::move(work)](Worker& worker) { work(worker.services()); });
        });
    shown_ = std::make_unique<ShownStats>(stats_, cells_, count);
    routes_ = std::make_unique<RouteManager>(*main_, workers_, stats_, cells_);
    scopes_ = std::make_unique<ScopeManager>(*main_, workers_, *routes_, logger_, stats_, cells_);
    secrets_ = std::make_unique<SecretManager>(bootstrap_, *main_, stats_, cells_, logger_);
    extension_configs_ = std::make_unique<ExtensionManager>(bootstrap_, *main_, stats_, cells_, logger_);
    resolver_ = net::makeDnsResolver(*main_);
    clusters_ = std::make_unique<ClusterManager>(*main_, workers_, stats_, cells_, cluster_names_, *resolver_, logger_,
                                                 base::drawSeed());
    listeners_ = std::make_unique<ListenerManager>(*main_, workers_, sockets_, stats_, cells_, logger_,
                                                   options_.drain_time, limits_);
    makeOnDemandClusters();
    transports_ = std::make_unique<XdsTransports>(*main_, *clusters_, cells_, base::drawSeed());
    keepDescriptors();
    clusters_->logHealthTo(log_sink_.get());
    clusters_->countZones(bootstrap_.node().locality().zone());
    if (const std::string& local = bootstrap_.cluster_manager().local_cluster_name(); !local.empty()) {
      const auto& own = bootstrap_.node().locality();
      clusters_->routeByZones(local, {own.region(), own.zone(), own.sub_zone()});
    }
    cluster_waits_ = std::make_unique<ClusterWaits>(
        *main_, logger_, cluster_names_,
        [this](const std::string& name) { return clusters_->hostsOf(name) != nullptr; }, options_.clusterWait());
    routes_->cluster_waits = cluster_waits_.get();
    for (std::chrono::milliseconds* patience : {&routes_->patience, &secrets_->patience, &extension_configs_->patience,
                                                &clusters_->patience, &listeners_->patience}) {
      *patience = options_.clusterWait();
    }
    clusters_->boot = &before_accepting_;
    clusters_->before_xds = &before_xds_;
    listeners_->boot = &before_ready_;
  }

  void makeOnDemandClusters() {
    const auto uses = [this](const std::string& name) -> std::optional<uint64_t> {
      const ClusterManager::Entry* cluster = clusters_->find(name);
      if (cluster == nullptr) return 0;
      if (clusters_->named(name) || stats_.gaugeValue(cluster->stats.rq_active) != 0) return std::nullopt;
      return stats_.counterValue(cluster->stats.rq_total);
    };
    on_demand_ = std::make_unique<OnDemandClusters>(OnDemandClusters::Deps{
        .main = *main_,
        .check = [this](const config::ResourceSource& source,
                        const config::Context& at) { return config::checkSource(source, bootstrap_, at); },
        .serves = [this](const std::string& name) { return clusters_->hostsOf(name) != nullptr; },
        .exists = [this](const std::string& name) { return clusters_->exists(name); },
        .uses = uses,
        .remove = [this](const std::string& name) { clusters_->remove(name); },
        .tell =
            [this](uint32_t worker, uint32_t source, const std::string& name) {
              workers_.at(worker).post([source, name](Worker& told) {
                told.routeDemands().done({session::RouteDemand::Of::kCluster, source, name});
              });
            }});
  }

  void keepDescriptors() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    const rlim_t all = std::min<rlim_t>(limit.rlim_cur, INT_MAX);
    const auto refused = std::make_shared<std::atomic<uint64_t>>(0);
    const observability::Counter counter = stats_.counter("server.descriptors_exhausted");
    const int end = static_cast<int>(all) - keptDescriptors(all);
    // Main counts them: the first of a batch wakes it.
    const auto on_refused = [this, refused, counter, all] {
      if (refused->fetch_add(1, std::memory_order_relaxed) != 0) return;
      main_->post([this, refused, counter, all] {
        cells_.add(counter, refused->exchange(0));
        descriptorsRefused(all);
      });
    };
    for (uint32_t i = 0; i < workers_.size(); ++i) workers_.at(i).limitDescriptors(end, on_refused);
    clusters_->limitCheckDescriptors({end, on_refused});
  }

  void descriptorsRefused(rlim_t limit) {
    if (descriptors_logged_ && main_->now() - *descriptors_logged_ < std::chrono::minutes(1)) return;
    descriptors_logged_ = main_->now();
    logger_.warning("server", "out of file descriptors: connections are refused, and accepting pauses, at ",
                    limit - keptDescriptors(limit), " of ", limit, " (", keptDescriptors(limit),
                    " are kept for admin and xDS); raise the limit (ulimit -n, LimitNOFILE) or lower the limits of "
                    "connections");
  }

  // On connections of the first worker, as all call-outs of main.
  std::shared_ptr<void> askByRest(const xds::RestRequest& request,
                                  const std::function<void(xds::RestAnswer)>& on_answer) {
    constexpr size_t kMaxAnswer = 64 << 20;
    worker::HttpCallRequest call;
    call.cluster = call.authority = request.cluster;
    call.method = "POST";
    call.path = request.path;
    call.headers = {{"content-type", "application/json"}, {"accept", "application/json"}};
    call.body = request.body;
    call.timeout = request.timeout;
    call.max_response_body = kMaxAnswer;
    return main_services_->calls().send(std::move(call), [on_answer](worker::HttpCallResponse answer) {
      on_answer({answer.status, std::string(answer.failure), std::move(answer.body)});
    });
  }

  void makeDynamicConfig() {
    config::ErrorList errors;
    const auto settings = config::compileBootstrap(bootstrap_, config::Context(errors));
    if (!settings) return;  // compileBootstrap of the whole reports it
    envoy::config::core::v3::Node node = bootstrap_.node();
    node.set_user_agent_name("sluice");
    node.set_user_agent_version("0.1.0");
    node.add_client_features(std::string(xds::kReportsServing));
    const auto connect = [this](const xds::GrpcSource& source) { return transports_->make(source); };
    DynamicConfig::Deps deps{*main_, options_, logger_, stats_, cells_, connect, seed_, &before_accepting_};
    deps.ask = [this](const xds::RestRequest& request, const std::function<void(xds::RestAnswer)>& on_answer) {
      return askByRest(request, on_answer);
    };
    if (config_keeper_) {
      deps.stored = [this](std::string_view type, const std::string& source) {
        return config_keeper_->stored(type, source);
      };
      deps.on_change = [this] { config_keeper_->onChange(); };
    }
    deps.on_taken = [this] { reporter_->onTaken(); };
    dynamic_ = std::make_unique<DynamicConfig>(std::move(deps), std::move(node), settings->sources.ads);
    reporter_ = std::make_unique<ServingReporter>(*main_, *clusters_, *listeners_, *routes_, *dynamic_);
    if (config_keeper_) config_keeper_->subscriptions = &dynamic_->subscriptions();
    addCoreTypes({*services_, *clusters_, *cluster_waits_, *listeners_, *routes_, *scopes_, *secrets_,
                  *extension_configs_, *on_demand_, logger_, stats_, cells_},
                 settings->sources, *dynamic_);
  }

  // (proto: ClusterManager.load_stats_config)
  void startLoadReports() {
    if (!load_reports_) return;
    envoy::config::core::v3::Node node = bootstrap_.node();
    node.set_user_agent_name("sluice");
    node.set_user_agent_version("0.1.0");
    node.add_client_features(std::string(xds::LoadStatsClient::kSendsAllClusters));
    const config::GrpcSource& to = *load_reports_;
    load_reporter_ = std::make_unique<LoadReporter>(*clusters_, stats_, [this] { return main_->now(); });
    load_client_ = std::make_unique<xds::LoadStatsClient>(
        xds::LoadStatsClient::Options{.node = std::move(node),
                                      .set_node_on_first_message_only = to.node_on_first_message_only},
        transports_->make(toXds(to)), *load_reporter_, *main_,
        [random = base::Random(base::drawSeed())]() mutable { return random.next(); });
    load_client_->onLog([this](const std::string& line) { logger_.warning("load", line); });
    load_client_->start();
  }

  void refreshLoadStats() {
    if (!load_client_) return;
    const xds::LoadStatsClient::Stats& now = load_client_->stats();
    cells_.set(stats_.counter("load_reporter.requests"), now.requests);
    cells_.set(stats_.counter("load_reporter.responses"), now.responses);
    cells_.set(stats_.counter("load_reporter.errors"), now.errors);
    cells_.set(stats_.counter("load_reporter.retries"), now.retries);
    cells_.set(stats_.gauge("load_reporter.connected_state"), now.connected ? 1 : 0);
  }

  bool startAdmin(const net::Address& address, stream::AccessLogs logs) {
    pages_ = std::make_unique<AdminPages>(AdminPages::Deps{
        services_->registry, options_, bootstrap_, *clusters_, *listeners_, *secrets_, *routes_, *scopes_,
        dynamic_ ? &dynamic_->subscriptions() : nullptr, stats_, logger_, static_cast<uint32_t>(workers_.size()),
        [this] { main_->post([this] { stopWorkers(); }); },
        [this](const admin::DrainRequest& request) { drainListeners(request); },
        [this](bool failed) { setHealthCheckFailed(failed); }, [this] { return waitsFor(); },
        [this](const cache::Purge& purge) { return purgeCaches(purge); }, [this] { return keySets(); }});
    auto endpoint = admin::openHttpEndpoint(*main_, address, stats_, cells_, *log_files_,
                                            [this](const admin::HttpRequest& request) { return answerAdmin(request); },
                                            {.access_logs = std::move(logs), .sockets = &sockets_});
    if (!endpoint.ok()) {
      logger_.critical("admin", std::string(endpoint.status().message()));
      return false;
    }
    admin_ = *std::move(endpoint);
    logger_.info("admin", "admin pages on ", admin_->address().toString());
    if (options_.admin_address_path.empty()) return true;
    std::ofstream out(options_.admin_address_path);
    out << admin_->address().toString();
    out.close();
    if (!out) logger_.error("admin", "cannot write the admin address to '", options_.admin_address_path, "'");
    return static_cast<bool>(out);
  }

  void setHealthCheckFailed(bool failed) {
    health_check_failed_ = failed;
    checks_fail_->store(failed, std::memory_order_relaxed);
    askToEnd();
  }

  void askToEnd() { listeners_->askToEnd(health_check_failed_ ? listener::AskToEnd::kAll : graceful_); }

  // As in Envoy a second graceful drain changes nothing.
  void drainListeners(const admin::DrainRequest& request) {
    if (!request.graceful) return stopListeners(request.inbound_only);
    if (graceful_ != listener::AskToEnd::kNone) return;
    graceful_ = request.inbound_only ? listener::AskToEnd::kInbound : listener::AskToEnd::kAll;
    askToEnd();
    if (!request.skip_exit) graceful_end_.arm(options_.drain_time);
  }

  std::vector<jwt::RemoteKeys::Health> keySets() const {
    std::vector<jwt::RemoteKeys::Health> out;
    services_->objects.forEach<jwt::RemoteKeys>([&](jwt::RemoteKeys& keys) { out.push_back(keys.health()); });
    return out;
  }

  size_t purgeCaches(const cache::Purge& purge) {
    size_t count = 0;
    services_->objects.forEach<cache::Store>([&](cache::Store& store) { count += store.purge(purge); });
    return count;
  }

  void stopListeners(bool inbound_only) {
    if (inbound_only) return listeners_->drainInbound();
    listeners_->drainAll();
  }

  admin::HttpResponse answerAdmin(const admin::HttpRequest& request) {
    if (admin::Query(request.target).path().starts_with("/stats")) refreshStats();
    admin::Response response = admin::handle({request.method, request.target, request.host, request.header("origin"),
                                              request.header("sec-fetch-site"), request.body},
                                             *pages_);
    return {response.status, std::move(response.body), std::move(response.content_type), std::move(response.headers)};
  }

  void refreshStats() {
    if (dynamic_) dynamic_->refreshStats();
    refreshLoadStats();
    const int64_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    if (const std::optional<int64_t> days = secrets_->daysUntilFirstExpires(now)) {
      cells_.set(stats_.gauge("server.days_until_first_cert_expiring"), *days);
    }
    using State = ShownStats::State;
    shown_->refresh(draining_ || health_check_failed_ ? State::kDraining
                    : ready_                          ? State::kLive
                                                      : State::kInitializing,
                    *clusters_, *listeners_);
  }

  void sizeInternalBuffers(int bytes) {
    for (uint32_t i = 0; i < workers_.size(); ++i) workers_.at(i).listeners().setInternalBuffer(bytes);
  }

  void limitConnections(const config::ConnectionLimitSettings& settings) {
    for (const auto& [name, limit] : settings.by_listener) limits_.by_listener.try_emplace(name, limit);
    if (settings.process) {
      limits_.process.emplace(*settings.process);
    } else if (rlimit descriptors;
               options_.defaults == config::Defaults::kEdge && getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
      // A descriptor for the client, one for its upstream.
      limits_.process.emplace(static_cast<uint32_t>(std::min<rlim_t>(descriptors.rlim_cur / 2, UINT32_MAX)));
    }
  }

  bool start(CompiledBootstrap& compiled) {
    load_reports_ = compiled.settings->load_reports;
    limitConnections(compiled.settings->connection_limits);
    sizeInternalBuffers(compiled.settings->internal_buffer);
    if (compiled.settings->admin_address && !startAdmin(*compiled.settings->admin_address, compiled.admin_access_logs))
      return false;
    for (auto& cluster : compiled.clusters) {
      clusters_->set(cluster.config, *cluster.proto, true, "", std::move(cluster.init));
    }
    for (auto& listener : compiled.listeners) {
      if (listener.compiled.api) continue;
      const absl::Status status =
          listeners_->set(listener.compiled, *listener.proto, std::move(listener.init), true, "");
      if (status.ok()) continue;
      logger_.critical("server", std::string(status.message()));
      return false;
    }
    workers_.start();
    main_->post([this] { boot(); });
    return true;
  }

  // Accepting begins when every cluster that can be known is known.
  void boot() {
    before_xds_.start([this] {
      if (dynamic_) dynamic_->start();
      startLoadReports();
    });
    before_accepting_.start([this] {
      listeners_->startAccepting();
      before_ready_.start([this] { becomeReady(); });
    });
  }

  void becomeReady() {
    ready_ = true;
    shown_->initialized();
    if (pages_) pages_->setPhase(AdminPages::Phase::kLive);
    logger_.info("server", std::string(versionText()), " is ready with ", workers_.size(), " workers");
  }

  // Why the process is not ready: what its start waits for, or that it serves nobody without listeners, and that there
  // shall be none has to be said by the control plane. Empty: nothing.
  std::string waitsFor() const {
    if (!ready_) {
      const std::string waits = before_accepting_.done() ? before_ready_.waits() : before_accepting_.waits();
      return waits.empty() ? waits : absl::StrCat("waits for ", waits);
    }
    if (options_.defaults != config::Defaults::kEdge || !dynamic_ || dynamic_->answered(xds::kListenerType)) return {};
    return "no listeners have come from the control plane";
  }

  void watchSignals() {
    signal(SIGPIPE, SIG_IGN);
    for (const int number : {SIGTERM, SIGINT}) main_->onSignal(number, [this] { onStopSignal(); });
    main_->onSignal(SIGUSR1, [this] { log_files_->reopen(); });
  }

  void onStopSignal() {
    if (draining_) {
      logger_.warning("server", "second signal: leaving at once");
      log_files_->stop(std::chrono::milliseconds(200));
      _exit(1);
    }
    drain();
  }

  void drain() {
    draining_ = true;
    if (pages_) pages_->setPhase(AdminPages::Phase::kDraining);
    drain_began_ = main_->now();
    logger_.info("server", "draining: no new connections; ", options_.drain_time.count() / 1000,
                 " s for those that are open");
    // Later than the deadline of pollDrain, which counts what it cuts.
    listeners_->drainAll(options_.drain_time + std::chrono::seconds(5));
    pollDrain();
  }

  // Ends the process once no connection is left, or at the deadline.
  void pollDrain() {
    const bool late = main_->now() - drain_began_ >= options_.drain_time;
    auto left = std::make_shared<std::atomic<size_t>>(0);
    workers_.postAll(
        *main_, [left](Worker& worker) { left->fetch_add(worker.listeners().connections()); },
        [this, left, late] {
          if (left->load() == 0 || late) return stopWorkers();
          drain_poll_.arm(std::chrono::milliseconds(20));
        });
  }

  void stopWorkers() {
    auto busy = std::make_shared<std::atomic<size_t>>(0);
    auto total = std::make_shared<std::atomic<size_t>>(0);
    workers_.postAll(
        *main_,
        [busy, total](Worker& worker) {
          const auto cut = worker.listeners().closeAll();
          busy->fetch_add(cut.busy);
          total->fetch_add(cut.total);
        },
        [this, busy, total] {
          logger_.info("server", "drained: ", total->load(), " connections were closed at the deadline, ", busy->load(),
                       " of them with a request in progress");
          main_->stop();
        });
  }

  int finish() {
    workers_.stop();
    log_files_->stop();
    return 0;
  }

  const Options& options_;
  Logger logger_;
  BootstrapProto bootstrap_;
  config::Registry registry_;
  observability::StatsRegistry stats_;
  observability::StatsCells& cells_ = stats_.makeCells();
  route::ClusterNames cluster_names_;
  route::FilterSlots filter_slots_;
  worker::LocalSlots local_slots_;
  std::unique_ptr<event::Loop> main_ = event::makeLoop();
  std::unique_ptr<observability::LogFiles> log_files_;
  std::unique_ptr<observability::LogSink> log_sink_;  // main's
  listener::ConnectionLimits limits_;
  net::OpenedSockets sockets_;
  std::optional<event::TimePoint> descriptors_logged_;
  Workers workers_;
  std::unique_ptr<worker::MainServices> main_services_;
  std::unique_ptr<ShownStats> shown_;
  std::unique_ptr<SecretManager> secrets_;
  std::unique_ptr<ExtensionManager> extension_configs_;
  std::unique_ptr<ClusterWaits> cluster_waits_;  // in front of those that wait
  std::unique_ptr<RouteManager> routes_;
  std::unique_ptr<ScopeManager> scopes_;
  std::unique_ptr<net::DnsResolver> resolver_;
  std::unique_ptr<ClusterManager> clusters_;
  std::unique_ptr<OnDemandClusters> on_demand_;
  std::unique_ptr<ListenerManager> listeners_;
  std::unique_ptr<XdsTransports> transports_;
  std::optional<config::Services> services_;
  std::unique_ptr<DynamicConfig> dynamic_;
  std::unique_ptr<ServingReporter> reporter_;
  std::unique_ptr<ConfigKeeper> config_keeper_;     // looks at what that has before it goes
  std::optional<config::GrpcSource> load_reports_;  // to whom
  std::unique_ptr<LoadReporter> load_reporter_;
  std::unique_ptr<xds::LoadStatsClient> load_client_;
  std::unique_ptr<AdminPages> pages_;
  std::unique_ptr<admin::HttpEndpoint> admin_;
  uint64_t seed_ = 0;
  event::Timer drain_poll_{main_->timers(), [this] { pollDrain(); }};
  // Whom the admin asks to end. (POST /drain_listeners?graceful, /healthcheck/fail)
  listener::AskToEnd graceful_ = listener::AskToEnd::kNone;
  bool health_check_failed_ = false;
  const std::shared_ptr<std::atomic<bool>> checks_fail_ = std::make_shared<std::atomic<bool>>(false);  // the same
  event::Timer graceful_end_{main_->timers(), [this] { stopListeners(graceful_ == listener::AskToEnd::kInbound); }};
  event::TimePoint drain_began_;
  bool ready_ = false;
  bool draining_ = false;
  // The steps of the start. Behind whatever holds their targets.
  InitManager before_xds_{*main_, logger_, "the start of xDS"};
  InitManager before_accepting_{*main_, logger_, "the start"};  // first clusters, first answers
  InitManager before_ready_{*main_, logger_, "the start"};      // first listeners
};

}  // namespace

int validate(const Options& options) {
  config::ErrorList errors;
  config::Positions positions;
  BootstrapProto bootstrap;
  config::Registry registry;
  extensions::registerAll(registry);
  observability::StatsRegistry stats;
  route::ClusterNames cluster_names;
  route::FilterSlots filter_slots;
  config::AnyRoutes route_slots;
  config::Services services{registry, stats, nullptr, cluster_names, filter_slots, route_slots, options.defaults, {}};
  services.report_only = options.report_only;
  CompiledBootstrap compiled;
  if (loadBootstrap(options, bootstrap, errors, positions)) {
    compileBootstrap(bootstrap, config::Context(errors, &positions), services, compiled);
  }
  report(errors, nameOf(options));
  if (!errors.empty()) return 1;
  std::cout << "configuration '" << nameOf(options) << "' OK\n";
  return 0;
}

int serve(const Options& options) {
  return Server(options).run();
}

}  // namespace sluice::server
