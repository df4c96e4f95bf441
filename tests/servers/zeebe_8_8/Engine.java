import io.camunda.zeebe.process.test.engine.EngineFactory;
import java.io.IOException;

/** An engine that keeps everything in memory, on a port of this machine, until its standard input ends. */
class Engine {
  public static void main(String[] arguments) throws IOException {
    var engine = EngineFactory.create(Integer.parseInt(arguments[0]));
    engine.start();
    System.out.println("started");
    while (System.in.read() >= 0) {}
    engine.stop();
    System.exit(0);
  }
}
