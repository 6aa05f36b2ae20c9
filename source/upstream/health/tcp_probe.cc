#include <algorithm>

#include "source/upstream/health/probe.h"
#include "source/upstream/health/probe_connection.h"

namespace sluice::upstream::health {
namespace {

using Verdict = CheckResult::Verdict;

// So much of what comes is kept to look for `receive` in.
constexpr size_t kMostKept = 64 * 1024;

// Connects; then what is configured goes out, and what is expected comes back.
class TcpProbe final : public Probe, private ProbeConnectionUser {
 public:
  TcpProbe(ProbeTarget target, OnResult on_result) : target_(std::move(target)), on_result_(std::move(on_result)) {}

  void begin() override {
    running_ = true;
    received_.clear();
    if (connection_) return send();
    auto opened = ProbeConnection::open(target_, {}, *this);
    if (!opened.ok()) return finish(notBegun(opened.status()));
    connection_ = *std::move(opened);
  }
  void abandon() override {
    running_ = false;
    connection_.reset();
  }

 private:
  const cluster::HealthCheckConfig& check() const { return target_.check; }

  void send() {
    if (!check().tcp.send.empty()) connection_->write(check().tcp.send);
  }
  void onProbeConnected() override {
    if (check().tcp.receive.empty()) {
      send();
      connection_->flush();
      return finish({});
    }
    send();
  }
  void onProbeBytes(std::string_view bytes) override {
    if (!running_) return connection_.reset();  // nobody asked
    received_.append(bytes.substr(0, kMostKept - std::min(kMostKept, received_.size())));
    if (hasInOrder(received_, check().tcp.receive)) finish({});
  }
  void onProbeEnd(std::string_view detail) override {
    connection_.reset();
    if (running_) finish({Verdict::kNetwork, 0, false, detail});
  }
  // A check that only connects needs a new connection each time.
  void finish(const CheckResult& result) {
    running_ = false;
    if (!check().reuse_connection || check().tcp.receive.empty()) connection_.reset();
    on_result_(result);
  }

  const ProbeTarget target_;
  const OnResult on_result_;
  ProbeConnection::Ptr connection_;  // null: none
  std::string received_;
  bool running_ = false;
};

}  // namespace

std::unique_ptr<Probe> makeTcpProbe(ProbeTarget target, Probe::OnResult on_result) {
  return std::make_unique<TcpProbe>(std::move(target), std::move(on_result));
}

bool hasInOrder(std::string_view text, const std::vector<std::string>& pieces) {
  for (const std::string& piece : pieces) {
    const size_t at = text.find(piece);
    if (at == std::string_view::npos) return false;
    text.remove_prefix(at + piece.size());
  }
  return true;
}

}  // namespace sluice::upstream::health
