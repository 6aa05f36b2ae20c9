// A connection of a Redis client: its commands are read, sent, and answered in their order.
//
// At most kMaxCommands are under way, of as many bytes as the listener lets wait (or one that is larger), and while a
// client takes no answers nothing more is read of it. Before it has said a password that is asked for it may send small
// commands only, as Redis has it. Thread: the worker's.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/extensions/filters/network/redis_proxy/transaction.h"
#include "source/filter/network_connection.h"

namespace sluice::extensions::network_filters::redis_proxy {

class RedisProxyFilter final : public filter::TerminalNetworkFilter {
 public:
  explicit RedisProxyFilter(std::shared_ptr<const Settings> settings) : settings_(std::move(settings)) {}
  void serve(filter::Accepted accepted, worker::WorkerServices& worker,
             base::List<filter::LiveConnection>& list) const override;

 private:
  const std::shared_ptr<const Settings> settings_;
};

class Session final : public filter::NetworkConnection, private Command::Owner {
 public:
  static constexpr size_t kMaxCommands = 1024;
  static constexpr redis::Limits kBeforeAuth{.bytes = 64 * 1024, .items = 10};

  static void start(worker::WorkerServices& worker, std::shared_ptr<const Settings> settings, filter::Accepted accepted,
                    base::List<filter::LiveConnection>& list);

  // Closes when what it was asked is answered, and no transaction is open.
  void drain() override;

 private:
  using Words = Splitter::Words;

  Session(worker::WorkerServices& worker, std::shared_ptr<const Settings> settings, filter::Accepted& accepted);
  ~Session() override;

  // filter::NetworkConnection
  void onAdmitted() override {}
  size_t credit() override;
  void onData(std::string_view bytes) override;
  void onEnd() override;
  void onFlushed() override;
  bool over(std::string_view details) override;

  void onCommandDone() override;

  void readCommands();
  void takeWhatMay();
  bool mayRead();
  bool overtakes(Words words) const;
  void take(std::string_view frame);
  void dispatch(Words words);
  void serve(Words words, const ServedCommand& served);
  bool answeredHere(Words words, const ServedCommand& served);
  void auth(Words words);
  void protocolError();
  Command& add(const ServedCommand* served);
  void answer(std::string reply);
  void refuse(std::string_view error) { answer(redis::error(error)); }
  void invalid();
  void writeAnswers();
  void closeIfDone();
  void close();
  void noteBuffered();

  const std::shared_ptr<const Settings> settings_;
  Pool& pool_;
  Splitter splitter_;
  Transaction transaction_;
  redis::Framer framer_;
  std::deque<std::unique_ptr<Command>> commands_;  // in the client's order
  std::vector<std::string_view> words_;            // scratch
  std::string held_;                               // a command that waits for those in front; empty: none
  size_t under_way_ = 0;                           // bytes of commands_
  const size_t limit_;                             // of that, and of answers that wait for the client
  event::Timer flush_timer_;                       // of the last answers
  size_t rx_buffered_ = 0;                         // as the gauges have it
  size_t tx_buffered_ = 0;
  bool allowed_;
  bool reading_ = false;    // readCommands() runs
  bool last_read_ = false;  // no command is read any more: QUIT, or an error
  bool starved_ = true;     // no whole command waits to be read
  bool ended_ = false;      // the client sends nothing more
  bool draining_ = false;
  bool closing_ = false;
};

}  // namespace sluice::extensions::network_filters::redis_proxy
