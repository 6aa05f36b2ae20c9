// What a TransportFactory is, too, if its connections tell the host who the client is (Options::client): none of them
// is for the requests of another client.
#pragma once

namespace sluice::net {

class TellsClient {
 public:
  virtual ~TellsClient() = default;
};

}  // namespace sluice::net
