// Answers requests from stored answers, and stores those that come. (RFC 9111)
//
// What is not a plain GET or HEAD goes by. One request of a worker fetches what is not stored, those for the same
// answer wait until it is there or certain that it will not be; if that is late they follow (cache/flights.h).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "source/cache/answer.h"
#include "source/cache/flights.h"
#include "source/cache/store.h"
#include "source/extensions/filters/http/cache/settings.h"
#include "source/filter/context.h"
#include "source/filter/http_filter.h"

namespace sluice::extensions::http_filters::cache {

class Filter : public filter::HttpFilter, private cache::Flights::Seat {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onResponseTrailers(http::Trailers& trailers, filter::Context& context) override;
  void onStreamEnd(filter::Context& context) override;

 private:
  // What is done with the response.
  enum class Doing : uint8_t {
    kNothing,
    kWaiting,       // for another's answer
    kForwarding,    // nothing, but it is told that it was not from the cache
    kFetching,      // it is stored if it may be
    kInvalidating,  // if it is no error, what is stored is out of date
  };
  // A body on its way in, which counts in the store's bound.
  class Incoming {
   public:
    Incoming(cache::Store& store, size_t limit) : store_(store), limit_(limit) {}
    ~Incoming() { store_.release(body_.size()); }
    Incoming(const Incoming&) = delete;
    Incoming& operator=(const Incoming&) = delete;
    // False: it is too large.
    bool append(std::string_view bytes);
    const std::string& body() const { return body_; }

   private:
    cache::Store& store_;
    const size_t limit_;
    std::string body_;
  };
  struct Storing {
    Storing(cache::Store& store, size_t limit) : incoming(store, limit) {}
    std::shared_ptr<cache::StoredResponse> response;
    cache::VaryNames vary;
    cache::Labels tags;
    std::optional<uint64_t> length;  // that its head says
    Incoming incoming;
  };

  // --- the request ---
  filter::HookResult lookUp(http::RequestHeaders& headers, filter::Context& context);
  cache::Store::Found find(const http::RequestHeaders& headers);
  filter::HookResult forward(std::string_view why);
  filter::HookResult fetchOrWait(http::RequestHeaders& headers, filter::Context& context, const std::string& key);
  // What answers the request may be shared by others that wait for it.
  bool mayShare() const;
  void fetch(http::RequestHeaders& headers, filter::Context& context);
  void waited();
  void onLead() override { onLanded(); }
  void onLanded() override;

  // --- the response ---
  filter::HookResult notModified(http::ResponseHeaders& headers, filter::Context& context);
  std::unique_ptr<Storing> judge(const http::ResponseHeaders& headers, filter::Context& context) const;
  cache::Exchange exchange(filter::Context& context) const;
  void store();
  void giveUp();

  filter::Reply replyFrom(const std::shared_ptr<const cache::StoredResponse>& stored, filter::Context& context,
                          std::string_view how) const;

  const Settings& settings_;
  Doing doing_ = Doing::kNothing;
  bool authorized_ = false;
  std::string_view why_;  // it was forwarded (RFC 9211 section 2.2)
  std::string_view cluster_;
  route::Match route_;
  cache::Store::Name name_;
  cache::RequestDirectives directives_;
  http::Conditions conditions_;
  std::shared_ptr<const cache::StoredResponse> stale_;  // null: nothing is stored
  bool validating_ = false;                             // the upstream is asked whether it is still good
  cache::Time requested_;
  cache::Store::Ticket ticket_{};            // from before `stale_` was looked for
  std::optional<http::HeaderList> varying_;  // of the request as it came here, what answers may depend on
  std::unique_ptr<Storing> storing_;
  // While it waits.
  filter::Context* context_ = nullptr;
  filter::ResumeToken token_;
  std::unique_ptr<filter::Call> timer_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::cache
