// peers PEERS REQUESTS CALLS: a plain gRPC client, which the module is compared
// with.
//
// Sends each request of the folder REQUESTS (a file is a message) to
// DownloadTask of each peer of the file PEERS (address and port), at most CALLS
// at once, and reads each stream to its end. Each call has a channel, and so a
// connection, of its own. Prints the seconds that it took; a call that is not
// OK ends it with a status of 1.
//
// One thread and one completion queue do all of it, and what a channel does not
// need here is turned off: it is about what gRPC's C++ can do at its best.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <grpc/grpc.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

using Clock = std::chrono::steady_clock;
using Words = std::istream_iterator<std::string>;
using Bytes = std::istreambuf_iterator<char>;

const char *const kMethod = "/dfdaemon.v2.DfdaemonUpload/DownloadTask";
constexpr auto kLongest = std::chrono::minutes(10);    // for all of it


static std::vector<std::string>
read_peers(const char *name)
{
    std::ifstream file(name);
    return {Words(file), Words()};
}


static std::vector<grpc::ByteBuffer>
read_requests(const char *folder)
{
    std::vector<grpc::ByteBuffer> requests;

    for (const auto &entry : std::filesystem::directory_iterator(folder)) {
        std::ifstream file(entry.path(), std::ios::binary);
        grpc::Slice slice(std::string{Bytes(file), Bytes()});
        requests.emplace_back(&slice, 1);
    }

    return requests;
}


static grpc::ChannelArguments
channel_arguments()
{
    grpc::ChannelArguments args;

    // a connection that another channel has is not used
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);

    args.SetInt(GRPC_ARG_MINIMAL_STACK, 1);
    args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    args.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 0);
    args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
    args.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);

    return args;
}


class Call {
public:
    Call(const std::string &peer, const grpc::ByteBuffer &message,
         const grpc::ChannelArguments &args, grpc::CompletionQueue *queue)
        : stub(grpc::CreateCustomChannel(
                   "ipv4:" + peer, grpc::InsecureChannelCredentials(), args))
    {
        // corked: the headers wait for the message, and the start is no event
        context.set_initial_metadata_corked(true);

        stream = stub.PrepareCall(&context, kMethod, queue);
        stream->StartCall(this);
        stream->WriteLast(message, grpc::WriteOptions(), this);
    }

    // What was waited for is there, or (not ok) cannot be; true: all has ended.
    bool
    next(bool ok)
    {
        if (ended) {
            return true;
        }

        if (!ok) {
            ended = true;
            stream->Finish(&status, this);

        } else {
            stream->Read(&response, this);
        }

        return false;
    }

    grpc::Status status;

private:
    grpc::ByteBuffer response;
    grpc::GenericStub stub;
    grpc::ClientContext context;
    std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream;
    bool ended = false;
};


// The next call that has ended.
static std::unique_ptr<Call>
wait(grpc::CompletionQueue *queue, std::chrono::system_clock::time_point end)
{
    void *tag;
    bool ok;

    while (queue->AsyncNext(&tag, &ok, end)
           == grpc::CompletionQueue::GOT_EVENT)
    {
        auto call = static_cast<Call *>(tag);

        if (call->next(ok)) {
            return std::unique_ptr<Call>(call);
        }
    }

    std::fprintf(stderr, "there are calls that have not ended\n");
    std::_Exit(1);
}


int
main(int argc, char **argv)
{
    if (argc != 4) {
        std::fprintf(stderr, "usage: %s PEERS REQUESTS CALLS\n", argv[0]);
        return 1;
    }

    const auto peers = read_peers(argv[1]);
    const auto requests = read_requests(argv[2]);
    const size_t most = std::strtoul(argv[3], nullptr, 10);
    const size_t all = peers.size() * requests.size();

    const auto args = channel_arguments();
    const auto end = std::chrono::system_clock::now() + kLongest;
    const auto started = Clock::now();

    grpc::CompletionQueue queue;
    size_t begun = 0;

    for (size_t ended = 0; ended < all; ended++) {

        while (begun < all && begun - ended < most) {
            new Call(peers[begun % peers.size()],
                     requests[begun / peers.size()], args, &queue);
            begun++;
        }

        auto call = wait(&queue, end);

        if (!call->status.ok()) {
            std::fprintf(stderr, "DownloadTask: %d %s\n",
                         call->status.error_code(),
                         call->status.error_message().c_str());
            std::_Exit(1);
        }
    }

    std::printf("%.3f\n",
                std::chrono::duration<double>(Clock::now() - started).count());
    return 0;
}
