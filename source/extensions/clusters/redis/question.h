// Asks a node of a Redis Cluster which hosts have which slots, over a connection of its own. Thread: main.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "source/event/loop.h"
#include "source/net/connection.h"
#include "source/redis/resp.h"

namespace sluice::extensions::clusters::redis {

class Question final : public event::Deferred, private net::ConnectionEvents {
 public:
  struct LetGo {
    void operator()(Question* question) const { question->letGo(); }
  };
  using Ptr = std::unique_ptr<Question, LetGo>;
  // Once, from the loop. `answer`: a whole message, during the call; nullopt: there is none, `why` says so.
  using OnAnswer = std::function<void(std::optional<std::string_view> answer, std::string_view why)>;
  // More than this is no answer.
  static constexpr sluice::redis::Limits kLimits{.bytes = 16 * 1024 * 1024, .items = 512 * 1024};

  struct Node {
    event::Loop& loop;
    net::WorkerBuffers& buffers;
    net::Address address;
    const net::ConnectOptions& connect;
    const net::TransportFactory* transport;  // null: plain
    std::string password;                    // a whole command; empty: none is said
  };
  // An error if connecting cannot even begin.
  static absl::StatusOr<Ptr> ask(const Node& node, OnAnswer on_answer);

 private:
  Question(const Node& node, net::Fd fd, net::TransportPtr transport, OnAnswer on_answer);

  void onConnected() override;
  size_t readCredit() override { return on_answer_ ? net::WorkerBuffers::kReadSize : 0; }
  void onBytes(std::string_view bytes) override;
  void onPeerEnd() override { answer(std::nullopt, "the node closed the connection"); }
  void onBroken(net::CloseReason, int) override { answer(std::nullopt, "the connection failed"); }
  void answer(std::optional<std::string_view> frame, std::string_view why);
  void letGo();

  event::Loop& loop_;
  OnAnswer on_answer_;  // empty: it was given, or nobody waits
  const std::string password_;
  bool said_password_ = false;
  sluice::redis::Framer framer_{kLimits};
  net::Connection connection_;
};

}  // namespace sluice::extensions::clusters::redis
