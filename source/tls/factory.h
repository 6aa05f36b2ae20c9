// Transport factories over a slot: main swaps the context when certificates rotate; connections that have begun keep
// theirs, new ones take what is current.
//
//   auto factory = std::make_shared<tls::ServerTransportFactory>("secret 'server_cert' has not been delivered");
//   if (auto context = tls::ServerContext::create(config, stats); context.ok()) factory->set(*context);
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "source/net/transport.h"
#include "source/tls/context.h"

namespace sluice::tls {

// Holds the current context, or why there is none. Any thread.
template <typename Context>
class ContextSlot {
 public:
  explicit ContextSlot(std::string missing) : missing_(std::move(missing)) {}

  std::shared_ptr<const Context> get() const {
    const std::lock_guard lock(mutex_);  // once a connection, for a pointer copy
    return context_;
  }
  void set(std::shared_ptr<const Context> context) {
    const std::lock_guard lock(mutex_);
    context_.swap(context);
  }  // the old one, if nothing else holds it, is freed after the lock
  std::string missing() const {
    const std::lock_guard lock(mutex_);
    return context_ ? std::string() : missing_;
  }
  void setMissing(std::string missing) {
    const std::lock_guard lock(mutex_);
    missing_ = std::move(missing);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Context> context_;
  std::string missing_;
};

class ServerTransportFactory : public net::TransportFactory {
 public:
  // `missing`: what notReady() tells until the first set().
  explicit ServerTransportFactory(std::string missing = "no TLS context has been set") : slot_(std::move(missing)) {}

  // Main. A context once set is never taken away, only replaced.
  void set(std::shared_ptr<const ServerContext> context) { slot_.set(std::move(context)); }
  void setMissing(std::string missing) { slot_.setMissing(std::move(missing)); }
  std::shared_ptr<const ServerContext> context() const { return slot_.get(); }

  net::TransportPtr make(const Options&) const override { return ServerContext::makeTransport(slot_.get()); }
  std::string notReady() const override { return slot_.missing(); }

 private:
  ContextSlot<ServerContext> slot_;
};

class ClientTransportFactory : public net::TransportFactory {
 public:
  explicit ClientTransportFactory(std::string missing = "no TLS context has been set") : slot_(std::move(missing)) {}

  void set(std::shared_ptr<const ClientContext> context) { slot_.set(std::move(context)); }
  void setMissing(std::string missing) { slot_.setMissing(std::move(missing)); }
  std::shared_ptr<const ClientContext> context() const { return slot_.get(); }

  net::TransportPtr make(const Options& options) const override {
    return ClientContext::makeTransport(slot_.get(), options);
  }
  std::string notReady() const override { return slot_.missing(); }

 private:
  ContextSlot<ClientContext> slot_;
};

}  // namespace sluice::tls
