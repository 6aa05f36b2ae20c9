// The sessions of one UDP listener on one worker. Thread: the worker's.
#pragma once

#include <array>
#include <memory>

#include "absl/container/flat_hash_set.h"
#include "source/extensions/filters/udp/udp_proxy/session.h"
#include "source/filter/udp.h"

namespace sluice::extensions::udp_filters::udp_proxy {

class Filter final : public filter::UdpFilter {
 public:
  explicit Filter(std::shared_ptr<const Settings> settings) : settings_(std::move(settings)) {}

  const std::shared_ptr<const Settings>& settings() const { return settings_; }
  std::unique_ptr<filter::UdpService> serve(worker::WorkerServices& worker) const override;

 private:
  const std::shared_ptr<const Settings> settings_;
};

class Proxy final : public filter::UdpService, private upstream::ClusterWatcher, private Session::Owner {
 public:
  // How long a session that may not stay waits for the answer that it owes, or for the next datagram.
  static constexpr std::chrono::seconds kDrainPatience{5};

  Proxy(worker::WorkerServices& worker, std::shared_ptr<const Settings> settings);
  ~Proxy() override;

  void onDatagrams(filter::UdpPort& port, std::span<const net::Datagram> datagrams) override;
  void onReadError() override;
  bool update(const filter::UdpFilter& filter, milliseconds drain_time) override;
  void drain(const filter::UdpPort* port, milliseconds drain_time) override;
  size_t sessions() const override { return sessions_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(const SessionKey& key) const { return absl::HashOf(key); }
    size_t operator()(const std::unique_ptr<Session>& session) const { return absl::HashOf(session->key()); }
  };
  struct Equal {
    using is_transparent = void;
    static SessionKey keyOf(const SessionKey& key) { return key; }
    static SessionKey keyOf(const std::unique_ptr<Session>& session) { return session->key(); }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return keyOf(a) == keyOf(b);
    }
  };

  void onClusterChanged(upstream::ClusterId id) override;
  void sessionExpired(Session& session, std::string_view details) override;
  void sessionCut(Session& session, std::string_view details) override;

  Session* sessionOf(filter::UdpPort& port, const net::Datagram& datagram);
  Session* begin(filter::UdpPort& port, const net::Datagram& datagram, upstream::ClusterId id,
                 base::LocalPtr<upstream::WorkerCluster> cluster, upstream::cluster::HostSlot slot);
  void flush(Session* session);
  // Cuts those that `which` is true for.
  template <typename Which>
  void cutIf(std::string_view details, Which which);

  worker::WorkerServices& worker_;
  upstream::ClusterSet& clusters_;
  std::shared_ptr<const Settings> settings_;
  absl::flat_hash_set<std::unique_ptr<Session>, Hash, Equal> sessions_;
  bool begins_ = true;
  // Datagrams of one session that came one behind the other.
  std::array<std::string_view, net::DatagramBatch::kMost> run_;
  size_t run_length_ = 0;
};

}  // namespace sluice::extensions::udp_filters::udp_proxy
