#include "source/server/secret_manager.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "source/config/holding.h"
#include "source/config/transport_socket_factory.h"
#include "source/event/simulated_loop.h"
#include "source/extensions/all.h"
#include "source/server/bootstrap.h"
#include "test/support/files/scratch_folder.h"
#include "test/support/tls/certificates.h"

namespace sluice::server {
namespace {

using namespace std::chrono_literals;

namespace v3 = envoy::extensions::transport_sockets::tls::v3;

struct World {
  explicit World(std::unique_ptr<event::Loop> loop = event::makeLoop()) : main(std::move(loop)) {
    extensions::registerAll(registry);
    services.secrets = &secrets;
  }

  void put(const std::string& name, const std::string& content) {
    std::filesystem::rename(folder.write(name + ".new", content), folder / name);
  }
  static v3::Secret secretOf(const std::string& name, const std::string& chain, const std::string& key) {
    v3::Secret secret;
    secret.set_name(name);
    secret.mutable_tls_certificate()->mutable_certificate_chain()->set_inline_string(chain);
    secret.mutable_tls_certificate()->mutable_private_key()->set_inline_string(key);
    return secret;
  }
  std::shared_ptr<const net::TransportFactory> listenerWith(const std::string& secret_name,
                                                            const std::string& trusted_name = {}) {
    v3::DownstreamTlsContext proto;
    v3::CommonTlsContext& common = *proto.mutable_common_tls_context();
    const auto fetch = [](v3::SdsSecretConfig& config, const std::string& name) {
      config.set_name(name);
      config.mutable_sds_config()->mutable_path_config_source()->set_path("/etc/sds.yaml");
    };
    fetch(*common.add_tls_certificate_sds_secret_configs(), secret_name);
    if (!trusted_name.empty()) fetch(*common.mutable_validation_context_sds_secret_config(), trusted_name);
    envoy::config::core::v3::TransportSocket socket;
    socket.set_name("tls");
    socket.mutable_typed_config()->PackFrom(proto);
    return config::compileTransport(socket, config::TransportSide::kDownstream,
                                    config::Holding(services, being_compiled).context(config::Context(errors)));
  }
  bool set(const v3::Secret& secret) {
    config::ErrorList found;
    const bool ok = secrets.set(secret, config::Context(found));
    said = found.toString();
    return ok;
  }
  std::string serial() {
    std::string serial;
    secrets.forEachContext([&serial](const tls::ContextFacts& facts) { serial = facts.certificates.at(0).serial; });
    return serial;
  }
  void runUntil(const std::function<bool()>& done) {
    const event::TimePoint deadline = main->now() + std::chrono::seconds(10);
    event::Timer poll(main->timers(), [&] {
      if (done() || main->now() > deadline) return main->stop();
      poll.arm(std::chrono::milliseconds(5));
    });
    poll.arm(std::chrono::milliseconds(1));
    main->run();
    CHECK(done());
  }

  const test::ScratchFolder folder;
  test::TestAuthority authority;
  observability::Logger logger{observability::LogLevel::kOff};
  BootstrapProto bootstrap;
  std::unique_ptr<event::Loop> main;
  observability::StatsRegistry stats;
  observability::StatsCells& cells = stats.makeCells();
  SecretManager secrets{bootstrap, *main, stats, cells, logger};
  config::Registry registry;
  route::ClusterNames names;
  route::FilterSlots slots;
  config::AnyRoutes routes;
  config::Services services{registry, stats, nullptr, names, slots, routes, config::Defaults::kEdge, {}};
  config::ErrorList errors;
  std::string said;
  InitManager init{*main, logger, "listener 'l'"};
  InitManager* being_compiled = &init;  // what the transports are for
};

TEST_CASE("a transport waits for its secret, then a bad version leaves the good one in place") {
  World t;
  std::vector<std::string> wanted;
  t.secrets.on_wanted = [&](const std::string& name, const auto&) { wanted.push_back(name); };
  const auto transport = t.listenerWith("cert");
  const auto one = t.authority.issue({});
  const auto two = t.authority.issue({});

  REQUIRE(transport != nullptr);
  CHECK(wanted == std::vector<std::string>{"cert"});
  CHECK(t.init.waits() == "secret 'cert'");
  CHECK(transport->notReady() == "secret 'cert' has not been delivered");

  CHECK(t.set(World::secretOf("cert", one.chain_pem, one.key_pem)));
  CHECK(t.init.waits().empty());
  CHECK(transport->notReady().empty());
  const std::string first = t.serial();

  CHECK_FALSE(t.set(World::secretOf("cert", two.chain_pem, one.key_pem)));
  CHECK(t.said.find("tls_certificate") != std::string::npos);
  CHECK(t.serial() == first);
  CHECK(t.stats.valueOf("sds.cert.update_rejected") == 1);

  CHECK(t.set(World::secretOf("cert", two.chain_pem, two.key_pem)));
  CHECK(t.serial() != first);
}

TEST_CASE("a secret that does not come in time is waited for no longer, and taken when it comes") {
  World t;
  const auto transport = t.listenerWith("cert");
  const auto one = t.authority.issue({});

  t.secrets.giveUp("cert");
  CHECK(t.init.waits().empty());
  CHECK_FALSE(transport->notReady().empty());

  t.set(World::secretOf("cert", one.chain_pem, one.key_pem));
  CHECK(transport->notReady().empty());
}

TEST_CASE("interest in a secret ends with its last user") {
  World t;
  std::vector<std::string> unwanted;
  t.secrets.on_unwanted = [&](const std::string& name) { unwanted.push_back(name); };
  auto transport = t.listenerWith("cert");
  auto other = t.listenerWith("cert");

  transport.reset();
  t.main->post([&] { t.main->stop(); });
  t.main->run();
  CHECK(unwanted.empty());
  other.reset();
  t.runUntil([&] { return !unwanted.empty(); });
}

TEST_CASE("files of a secret are read again, and what does not fit together is not used") {
  World t;
  const auto one = t.authority.issue({});
  const auto two = t.authority.issue({});
  t.put("tls.crt", one.chain_pem);
  t.put("tls.key", one.key_pem);
  v3::Secret secret;
  secret.set_name("cert");
  secret.mutable_tls_certificate()->mutable_certificate_chain()->set_filename(t.folder / "tls.crt");
  secret.mutable_tls_certificate()->mutable_private_key()->set_filename(t.folder / "tls.key");
  const auto transport = t.listenerWith("cert");
  REQUIRE(t.set(secret));
  const std::string first = t.serial();

  t.put("tls.crt", two.chain_pem);
  t.runUntil([&] { return t.stats.valueOf("sds.cert.key_rotation_failed") > 0; });
  CHECK(t.serial() == first);

  t.put("tls.key", two.key_pem);
  t.runUntil([&] { return t.serial() != first; });
}

TEST_CASE("a control plane does not look for the files of its proxies") {
  World t;
  t.services.secrets = nullptr;
  v3::DownstreamTlsContext proto;
  auto& certificate = *proto.mutable_common_tls_context()->add_tls_certificates();
  certificate.mutable_certificate_chain()->set_filename("/nonexistent/tls.crt");
  certificate.mutable_private_key()->set_filename("/nonexistent/tls.key");
  envoy::config::core::v3::TransportSocket socket;
  socket.set_name("tls");
  socket.mutable_typed_config()->PackFrom(proto);

  CHECK(config::compileTransport(socket, config::TransportSide::kDownstream,
                                 config::Holding(t.services).context(config::Context(t.errors))));
  CHECK(t.errors.toString() == "");
}

TEST_CASE("a secret that was given up is not waited for once the other one of its transport has come") {
  World t;
  const auto transport = t.listenerWith("cert", "trusted");
  REQUIRE(transport != nullptr);
  t.secrets.giveUp("trusted");
  CHECK(t.init.waits() == "secret 'cert', secret 'trusted'");

  const auto one = t.authority.issue({});
  CHECK(t.set(World::secretOf("cert", one.chain_pem, one.key_pem)));

  CHECK(t.init.waits().empty());
  CHECK(transport->notReady() == "secret 'trusted' has not been delivered");
}

TEST_CASE("a secret that there is not is waited for where something serves in the place of what needs it") {
  auto owned = std::make_unique<event::SimulatedLoop>();
  event::SimulatedLoop& loop = *owned;
  World t(std::move(owned));
  t.secrets.patience = 5s;
  InitManager next(loop, t.logger, "listener 'l'", true, loop.now() + 5s);
  t.being_compiled = &next;
  const auto transport = t.listenerWith("cert");
  loop.advance(1s);

  t.secrets.giveUp("cert");
  CHECK(next.waits() == "secret 'cert'");
  t.being_compiled = &t.init;
  const auto first = t.listenerWith("cert");
  CHECK(t.init.waits().empty());
  loop.advance(3999ms);
  CHECK(next.waits() == "secret 'cert'");
  SECTION("until it comes") {
    const auto one = t.authority.issue({});
    CHECK(t.set(World::secretOf("cert", one.chain_pem, one.key_pem)));
    CHECK(transport->notReady().empty());
    CHECK(first->notReady().empty());
  }
  SECTION("or the limit is over, which begins anew for nobody") {
    loop.advance(1ms);
    CHECK_FALSE(transport->notReady().empty());
    InitManager newer(loop, t.logger, "listener 'l'", true, loop.now() + 5s);
    t.being_compiled = &newer;
    const auto again = t.listenerWith("cert");
    CHECK(newer.waits().empty());
  }
  CHECK(next.waits().empty());
}

}  // namespace
}  // namespace sluice::server
