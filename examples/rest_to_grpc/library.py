#!/usr/bin/python3
"""The gRPC service of library.proto, with its books in memory.

    library.py --descriptors library.pb --listen 127.0.0.1:50051
"""
import argparse
import concurrent.futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


class Messages:
    """Classes of the messages in a descriptor set, by full name."""

    def __init__(self, path):
        self.pool = descriptor_pool.DescriptorPool()
        with open(path, "rb") as file:
            for proto in descriptor_pb2.FileDescriptorSet.FromString(file.read()).file:
                self.pool.Add(proto)
        self.factory = message_factory.MessageFactory(self.pool)

    def __getitem__(self, name):
        return self.factory.GetPrototype(self.pool.FindMessageTypeByName(name))


class Library:
    """Serves from its making until stop()."""

    def __init__(self, descriptors, address="127.0.0.1:0"):
        self.messages = Messages(descriptors)
        self.books = {}
        self.add("shelves/poems", title="Leaves of Grass", authors=["Walt Whitman"], pages=95)
        self.add("shelves/poems", title="Songs of Innocence", authors=["William Blake"], pages=31)
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        methods = {
            "GetBook": self.method(grpc.unary_unary_rpc_method_handler, self.get, "library.BookName"),
            "ListBooks": self.method(grpc.unary_stream_rpc_method_handler, self.list, "library.ListBooksRequest"),
            "CreateBook": self.method(grpc.unary_unary_rpc_method_handler, self.create, "library.CreateBookRequest"),
            "DeleteBook": self.method(grpc.unary_unary_rpc_method_handler, self.delete, "library.BookName"),
        }
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("library.Library", methods),))
        self.port = self.server.add_insecure_port(address)
        self.server.start()

    def method(self, kind, function, request):
        return kind(function, self.messages[request].FromString, lambda answer: answer.SerializeToString())

    def add(self, shelf, **fields):
        numbers = [int(name.rpartition("/")[2]) for name in self.books if name.startswith(shelf + "/")]
        name = f"{shelf}/books/{max(numbers, default=0) + 1}"
        self.books[name] = self.messages["library.Book"](name=name, **fields)
        return self.books[name]

    def find(self, name, context):
        if name not in self.books:
            context.abort(grpc.StatusCode.NOT_FOUND, f"there is no {name}")
        return self.books[name]

    def get(self, request, context):
        return self.find(request.name, context)

    def list(self, request, context):
        found = [book for name, book in self.books.items() if name.startswith(request.shelf + "/")]
        found = [book for book in found if not request.author or request.author in book.authors]
        yield from found[: request.limit or None]

    def create(self, request, context):
        book = request.book
        if not book.title:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a book needs a title")
        return self.add(request.shelf, title=book.title, authors=book.authors, pages=book.pages)

    def delete(self, request, context):
        self.find(request.name, context)
        del self.books[request.name]
        return self.messages["google.protobuf.Empty"]()

    def stop(self):
        self.server.stop(None).wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--descriptors", required=True)
    parser.add_argument("--listen", default="127.0.0.1:50051")
    options = parser.parse_args()
    try:
        Library(options.descriptors, options.listen).server.wait_for_termination()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
