import io.camunda.zeebe.client.ZeebeClient;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Zeebe's Java client. A slot is a thread of its executor, so that no more handlers run than there are slots; the modes
 * "prefetch" and "stream" keep as many jobs again in the worker's queue, which the documented default does not.
 */
public final class Peer {
  private static final AtomicInteger AT_ONCE = new AtomicInteger();
  private static final AtomicInteger MOST = new AtomicInteger();
  private static final AtomicInteger HANDLED = new AtomicInteger();

  public static void main(String[] args) throws Exception {
    String gateway = args[0];
    String type = args[2];
    int slots = Integer.parseInt(args[3]);
    long handlerMillis = Long.parseLong(args[4]);
    String mode = args[5];
    Duration lease = Duration.ofMillis(Long.parseLong(args[6]));
    OutputStream effects = args[7].equals("-") ? null
        : Files.newOutputStream(Path.of(args[7]), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    ZeebeClient client = ZeebeClient.newClientBuilder()
        .gatewayAddress(gateway)
        .usePlaintext()
        .numJobWorkerExecutionThreads(slots)
        .build();
    client.newWorker()
        .jobType(type)
        .handler((jobs, job) -> {
          MOST.accumulateAndGet(AT_ONCE.incrementAndGet(), Math::max);
          try {
            if (handlerMillis > 0) {
              Thread.sleep(handlerMillis);
            }
            if (effects != null) {
              effects.write((job.getKey() + "\n").getBytes());
            }
          } finally {
            AT_ONCE.decrementAndGet();
          }
          HANDLED.incrementAndGet();
          jobs.newCompleteCommand(job).send().join();
        })
        .name("java")
        .timeout(lease)
        .maxJobsActive(mode.equals("poll") ? slots : 2 * slots)
        .streamEnabled(mode.equals("stream"))
        .open();
    System.out.println("{\"event\": \"ready\"}");
    while (System.in.read() >= 0) {
      // the harness closes our stdin at the end
    }
    System.out.printf("{\"event\": \"end\", \"handled\": %d, \"most_at_once\": %d}%n", HANDLED.get(), MOST.get());
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }
}
