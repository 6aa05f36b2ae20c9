#include "source/xds/rest_subscription.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"
#include "source/xds/nack_text.h"

namespace sluice::xds {
namespace {

std::string toJson(const Request& request) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;  // what servers know
  std::string json;
  // The message is our own: nothing in it has no JSON form.
  return google::protobuf::util::MessageToJsonString(toSotwMessage(request), &json, options).ok() ? json : "{}";
}

}  // namespace

RestSubscription::RestSubscription(Options options, Ask ask, Parse parse, ResourceWatcher& watcher, event::Loop& loop,
                                   std::function<uint64_t()> random, Log log)
    : options_(std::move(options)),
      ask_(std::move(ask)),
      parse_(std::move(parse)),
      random_(std::move(random)),
      log_(std::move(log)),
      loop_(loop),
      machine_({options_.type, Variant::kSotw, options_.initial_fetch_timeout, options_.source, options_.stored},
               watcher),
      poll_timer_(loop.timers(), [this] { poll(); }),
      deadline_timer_(loop.timers(), [this] {
        machine_.onTime(loop_.now());
        if (machine_.busy()) step();
        armDeadline();
      }) {}

RestSubscription::~RestSubscription() = default;

void RestSubscription::subscribe(std::string_view name, std::chrono::milliseconds fetch_timeout) {
  machine_.subscribe(name, loop_.now(), fetch_timeout);
  armDeadline();
  askAnew();
}

void RestSubscription::unsubscribe(std::string_view name) {
  machine_.unsubscribe(name);
  askAnew();
}

void RestSubscription::askAnew() {
  asking_.reset();
  poll_timer_.cancel();
  loop_.atTurnEnd(*this);
}

void RestSubscription::poll() {
  ask_later_ = machine_.busy();
  if (ask_later_) return;
  poll_timer_.cancel();
  if (!machine_.wantsAny()) return;  // an empty list would mean "everything"
  Request request = machine_.takePoll();
  request.node = std::make_shared<envoy::config::core::v3::Node>(options_.node);
  if (!unreadable_.empty()) request.error = ErrorDetail{.message = std::exchange(unreadable_, {})};
  ++stream_.streams;
  machine_.countAttempt();
  asking_ = ask_(
      {options_.server.cluster, std::string(options_.type.rest_path), toJson(request), options_.server.request_timeout},
      [this](RestAnswer answer) { onAnswer(std::move(answer)); });
}

void RestSubscription::onAnswer(RestAnswer answer) {
  asking_.reset();
  constexpr int kOk = 200, kNotModified = 304;
  if (answer.status == 0) return fail(absl::StrCat("no answer: ", answer.failure));
  if (answer.status == kNotModified) {
    begin();
    return wait();
  }
  if (answer.status != kOk) return fail(absl::StrCat("the answer has status ", answer.status));
  absl::StatusOr<Response> response = read(answer);
  if (!response.ok()) {
    ++stream_.bad_messages;
    unreadable_ = validUtf8(std::string(response.status().message()), kMaxNackText);
    return fail(absl::StrCat("the answer cannot be read: ", unreadable_));
  }
  take(*std::move(response));
}

absl::StatusOr<Response> RestSubscription::read(const RestAnswer& answer) const {
  absl::StatusOr<envoy::service::discovery::v3::DiscoveryResponse> message = parse_(answer.body);
  if (!message.ok()) return message.status();
  Response response = fromMessage(*std::move(message));
  if (!response.type_url.empty() && typeName(response.type_url) != typeName(options_.type.url)) {
    return absl::InvalidArgumentError(
        absl::StrCat("type_url: is ", response.type_url, ", but ", std::string(options_.type.url), " was asked for"));
  }
  response.type_url = std::string(options_.type.url);
  return response;
}

void RestSubscription::take(Response response) {
  begin();
  while (machine_.busy()) machine_.step(loop_.now());  // what is stored
  if (!response.control_plane.empty()) stream_.identifier = response.control_plane;
  machine_.onResponse(std::move(response), loop_.now());
  step();
}

// The rest of a large response; the loop runs between its parts.
void RestSubscription::step() {
  armDeadline();
  if (!machine_.busy()) return ask_later_ ? loop_.atTurnEnd(*this) : wait();
  loop_.post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    if (machine_.busy()) machine_.step(loop_.now());
    step();
  });
}

void RestSubscription::fail(std::string why) {
  machine_.onStreamEnd();
  machine_.countFailure();
  ++stream_.failures;
  stream_.connected = false;
  // A server that stays away is told of once.
  if (stream_.last_error != why) {
    log_(absl::StrCat("polling cluster '", options_.server.cluster, "' for ", std::string(typeName(options_.type.url)),
                      " failed: ", why, "; what was accepted goes on serving"));
  }
  stream_.last_error = std::move(why);
  wait();
}

// The server is there: what it says next is the answer to what was asked.
void RestSubscription::begin() {
  stream_.last_error.clear();
  if (std::exchange(stream_.connected, true)) return;
  machine_.onStreamStart(loop_.now());
  machine_.takePoll();
}

// So that proxies that began together do not ask together.
void RestSubscription::wait() {
  if (asking_ != nullptr) return;
  const auto delay = options_.server.refresh_delay;
  const auto more = static_cast<int64_t>(random_() % static_cast<uint64_t>(std::max<int64_t>(delay.count(), 1)));
  poll_timer_.arm(delay + std::chrono::milliseconds(more));
}

void RestSubscription::armDeadline() {
  if (const std::optional<TimePoint> next = machine_.nextDeadline()) {
    deadline_timer_.armAt(*next);
  } else {
    deadline_timer_.cancel();
  }
}

}  // namespace sluice::xds
