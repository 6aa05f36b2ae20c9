// Hand-made peers for the tests of this folder: a watcher that records, a transport that is scripted, and short forms
// for resources and responses.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "source/xds/resource_type.h"
#include "source/xds/resource_watcher.h"
#include "source/xds/transport.h"
#include "source/xds/wire.h"

namespace sluice::xds::testing {

// Takes everything but the names it is told to refuse.
class RecordingWatcher : public ResourceWatcher {
 public:
  std::vector<ResourceError> onUpdate(const Update& update) override {
    ++updates;
    if (update.stored) ++stored;
    last_source = update.source;
    last_more = update.more;
    largest = std::max(largest, update.changed.size());
    last_changed.clear();
    last_rejected.clear();
    last_failed.clear();
    for (const ResourceError& failed : update.failed) last_failed.push_back(failed.name);
    last_removed = update.removed;
    last_repeated.assign(update.repeated.begin(), update.repeated.end());
    std::vector<ResourceError> errors;
    for (const ResourceError& error : update.rejected) last_rejected.push_back(error.name);
    if (veto) return {{"", "", "vetoed"}};
    for (const std::string& name : update.removed) held.erase(name);
    for (const UpdatedResource& resource : update.changed) {
      last_changed.push_back(resource.name);
      if (refuse.contains(resource.name)) {
        errors.push_back({resource.name, "connect_timeout", "must be greater than 0s"});
      } else {
        held[resource.name] = resource.version;
        bodies[resource.name] = resource.body->value();
      }
    }
    if (during_update) during_update(update);
    return errors;
  }
  void onWaitOver(std::string_view source, const std::vector<std::string>& names, WaitEnd why) override {
    last_source = source;
    auto& list = why == WaitEnd::kTimeout ? timed_out : why == WaitEnd::kRefused ? wait_refused : wait_absent;
    list.insert(list.end(), names.begin(), names.end());
  }

  std::set<std::string> refuse;
  bool veto = false;
  std::function<void(const Update&)> during_update;

  int updates = 0;
  int stored = 0;      // of them, that were none of the server's
  size_t largest = 0;  // resources in one part of an update
  std::string last_source;
  bool last_more = false;
  std::vector<std::string> last_changed;
  std::vector<std::string> last_repeated;
  std::vector<std::string> last_removed;
  std::vector<std::string> last_rejected;
  std::vector<std::string> last_failed;
  std::map<std::string, std::string> held;    // name to version
  std::map<std::string, std::string> bodies;  // name to bytes
  std::vector<std::string> timed_out, wait_refused, wait_absent;
};

// A cluster; `content` makes its bytes differ.
inline std::shared_ptr<const google::protobuf::Any> clusterBody(const std::string& name, const std::string& content) {
  envoy::config::cluster::v3::Cluster cluster;
  cluster.set_name(name);
  cluster.set_alt_stat_name(content);
  auto any = std::make_shared<google::protobuf::Any>();
  any->PackFrom(cluster);
  return any;
}

inline std::shared_ptr<const google::protobuf::Any> endpointBody(const std::string& name, uint32_t overprovisioning) {
  envoy::config::endpoint::v3::ClusterLoadAssignment assignment;
  assignment.set_cluster_name(name);
  assignment.mutable_policy()->mutable_overprovisioning_factor()->set_value(overprovisioning);
  auto any = std::make_shared<google::protobuf::Any>();
  any->PackFrom(assignment);
  return any;
}

// State-of-the-world, as it arrives: without a name outside of the body.
inline Resource bare(std::shared_ptr<const google::protobuf::Any> body) {
  Resource resource;
  resource.body = std::move(body);
  return resource;
}

inline Resource named(const std::string& name, const std::string& version,
                      std::shared_ptr<const google::protobuf::Any> body) {
  Resource resource;
  resource.name = name;
  resource.version = version;
  resource.body = std::move(body);
  return resource;
}

inline Response response(std::string_view type_url, const std::string& version, const std::string& nonce,
                         std::vector<Resource> resources, std::vector<std::string> removed = {}) {
  Response response;
  response.type_url = std::string(type_url);
  response.version = version;
  response.nonce = nonce;
  response.resources = std::move(resources);
  response.removed = std::move(removed);
  return response;
}

// What the client does to its transport is recorded; the test plays the events.
class FakeTransport : public Transport {
 public:
  struct Record {
    TransportEvents* events = nullptr;
    std::string method;
    int connects = 0;
    bool connected = false;
    bool blocked = false;  // send() is not taken at once
    bool busy = false;
    size_t server = 0;
    std::deque<std::string> sent;

    void establish() {
      connected = true;
      busy = false;
      events->onConnected();
    }
    void fail(const std::string& why = "connection refused") {
      connected = false;
      events->onClosed(absl::UnavailableError(why));
    }
    void taken() {
      busy = false;
      events->onWritable();
    }
    Request next(Variant variant) {
      if (sent.empty()) return {};
      Request request = *wireEncoder(variant).decodeRequest(sent.front());
      sent.pop_front();
      return request;
    }
  };

  explicit FakeTransport(std::shared_ptr<Record> record) : record_(std::move(record)) {}

  void connect(std::string_view method, TransportEvents& events) override {
    record_->events = &events;
    record_->method = std::string(method);
    ++record_->connects;
  }
  bool writable() const override { return record_->connected && !record_->busy; }
  size_t server() const override { return record_->server; }
  void send(std::string bytes) override {
    record_->sent.push_back(std::move(bytes));
    record_->busy = record_->blocked;
  }

 private:
  std::shared_ptr<Record> record_;
};

}  // namespace sluice::xds::testing
