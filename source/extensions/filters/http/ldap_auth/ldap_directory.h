// A directory of LDAP servers with the same entries: they are asked in order, and one that did not answer is left alone
// for a while. (RFC 4511)
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "source/base/entropy.h"
#include "source/base/random.h"
#include "source/extensions/filters/http/ldap_auth/connection.h"
#include "source/extensions/filters/http/ldap_auth/directory.h"
#include "source/extensions/filters/http/ldap_auth/templates.h"

namespace sluice::extensions::http_filters::ldap_auth {

// The user's entry is ATTRIBUTE=USER,BASE.
struct DirectBind {
  std::string attribute;
  std::string base;
};

// The user's entry is the one that a search finds, in the name of the service.
struct SearchBind {
  std::string service_dn;  // empty: in nobody's name
  std::string base;
  Search::Scope scope;
  FilterTemplate filter;
};

// The user's entry names his groups.
struct MemberOf {
  std::string attribute;
  std::string base;  // groupName()
};

// The entries of groups name users.
struct GroupSearch {
  std::string base;
  Search::Scope scope;
  FilterTemplate filter;
  std::string attribute;  // with the group's name
};

struct DirectoryOptions {
  std::vector<Server> servers;
  TlsOptions tls;
  Timeouts timeouts;
  std::variant<DirectBind, SearchBind> entry;
  std::variant<std::monostate, MemberOf, GroupSearch> groups;
  std::string name_attribute;  // of the user's entry; empty: the name is what the request says
  size_t max_idle;             // connections that wait for the next user, a pair each
  // What somebody should know; any thread.
  std::function<void(std::string_view text)> warn;
};

class LdapDirectory final : public Directory {
 public:
  // More groups of one user are an error: to leave some out might let in whom a route denies.
  static constexpr size_t kMaxGroups = 1000;
  // After failures a server is left alone for a time that grows from the first to the last of these.
  static constexpr std::chrono::milliseconds kFirstWait{200}, kLastWait{5000};

  explicit LdapDirectory(DirectoryOptions options);

  Answer check(std::string_view user, std::string_view password, const std::string& secret) override;
  void stop() override { sockets_.stop(); }

 private:
  struct Question {
    std::string_view user, password;
    const std::string& secret;
  };
  // Two connections, as a bind with a user's password changes on whose behalf one is.
  struct Session {
    size_t server;
    std::unique_ptr<Connection> lookup;  // in the name of the service; null: none so far
    std::unique_ptr<Connection> login;
    event::TimePoint used;
    bool fresh = true;  // nothing was asked on it before
  };
  struct ServerState {
    uint32_t failures = 0;
    event::TimePoint retry_at;
    event::TimePoint next_warning;
  };

  // nullopt: the server does not answer.
  std::optional<Answer> ask(size_t server, const Question& question);
  Answer askOn(Session& session, const Question& question, Result& failure);
  // The DN of the user, and his entry if it has been read; empty: there is none.
  std::optional<Entry> findUser(Session& session, const Question& question, Result& failure);
  // nullopt: they could not be read, `failure` says why.
  std::optional<std::vector<std::string>> groupsOf(Connection& connection, const Question& question, const Entry& entry,
                                                   Result& failure);
  Connection* connectionOf(Session& session, std::unique_ptr<Connection>& place, Result& failure);
  std::vector<std::string> wantedAttributes() const;

  static std::unique_ptr<Session> newSession(size_t server);
  std::unique_ptr<Session> takeSession(size_t server);
  void keepSession(std::unique_ptr<Session> session);
  void dropSessions(size_t server);
  bool mayAsk(size_t server);
  void wentWell(size_t server, const Answer& answer, const Result& failure);
  void wentDown(size_t server, const Result& failure);

  const DirectoryOptions options_;
  const std::vector<std::string> wanted_;
  OpenSockets sockets_;  // outlives sessions
  std::mutex mutex_;     // of all below
  std::vector<std::unique_ptr<Session>> idle_;
  std::vector<ServerState> states_;
  base::Random random_{base::drawSeed()};
};

}  // namespace sluice::extensions::http_filters::ldap_auth
