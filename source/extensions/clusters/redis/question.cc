#include "source/extensions/clusters/redis/question.h"

#include <utility>

#include "absl/status/status.h"

namespace sluice::extensions::clusters::redis {

using sluice::redis::Framer;

absl::StatusOr<Question::Ptr> Question::ask(const Node& node, OnAnswer on_answer) {
  const net::TransportFactory* const factory = node.transport;
  if (factory != nullptr && !factory->notReady().empty()) return absl::UnavailableError(factory->notReady());
  net::TransportFactory::Options options{.host = &node.address};
  const std::optional<net::Address> proxy = factory != nullptr ? factory->proxyOf(options) : std::nullopt;
  absl::StatusOr<net::Fd> fd = net::startConnect(proxy ? *proxy : node.address, node.connect);
  if (!fd.ok()) return fd.status();
  net::TransportPtr transport;
  if (factory != nullptr) {
    const std::string key = node.address.toString();
    options.session_key = key;
    transport = factory->make(options);
  }
  return Ptr(new Question(node, *std::move(fd), std::move(transport), std::move(on_answer)));
}

Question::Question(const Node& node, net::Fd fd, net::TransportPtr transport, OnAnswer on_answer)
    : loop_(node.loop),
      on_answer_(std::move(on_answer)),
      password_(node.password),
      connection_(node.loop, node.buffers, std::move(fd), net::Connection::Mode::kConnecting, *this,
                  std::move(transport)) {}

void Question::onConnected() {
  said_password_ = !password_.empty();
  connection_.write(password_ + sluice::redis::command({"CLUSTER", "SLOTS"}));
}

void Question::onBytes(std::string_view bytes) {
  framer_.feed(bytes);
  std::string_view frame;
  while (on_answer_) {
    const Framer::Result result = framer_.next(frame);
    if (result == Framer::Result::kNeedsMore) return;
    if (result == Framer::Result::kBroken) return answer(std::nullopt, "the node does not speak Redis");
    if (sluice::redis::typeOf(frame) == sluice::redis::Type::kError) {
      return answer(std::nullopt, said_password_ ? "the node refused our password" : "the node is of no Redis Cluster");
    }
    if (!std::exchange(said_password_, false)) return answer(frame, {});
  }
}

void Question::answer(std::optional<std::string_view> frame, std::string_view why) {
  if (const OnAnswer told = std::exchange(on_answer_, nullptr)) told(frame, why);
}

void Question::letGo() {
  on_answer_ = nullptr;
  connection_.close();
  loop_.deleteLater(std::unique_ptr<event::Deferred>(this));
}

}  // namespace sluice::extensions::clusters::redis
