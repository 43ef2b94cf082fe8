import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jpos.core.Track1;
import org.jpos.core.Track2;
import us.fatehi.magnetictrack.bankcard.BankCardMagneticTrack;

/** The peers of Maven Central: PEER ROW FILE; the answer, then for each count on standard input its nanoseconds of CPU. */
public class Peers {
    interface Parser {
        Object parse() throws Exception;
    }

    static volatile Object kept;

    /** Of every thread, the collector's and the compiler's too; what Java gives itself counts in steps of 10 ms. */
    static long cpu() throws IOException {
        long sum = 0;
        try (DirectoryStream<Path> tasks = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
            for (Path task : tasks) {
                sum += Long.parseLong(Files.readString(task.resolve("schedstat")).split(" ")[0]);
            }
        }
        return sum;
    }

    static Parser parser(String peer, String row, String line) throws Exception {
        if (peer.equals("magnetictrackparser")) {
            return () -> BankCardMagneticTrack.from(line);
        }
        int second = line.indexOf(';');
        String track1 = line.substring(0, second);
        String track2 = line.substring(second + 1, line.length() - 1); // it takes track 2 without sentinels
        if (row.equals("track2")) {
            return () -> Track2.builder().track(track2).build();
        }
        return () -> {
            kept = Track1.builder().track(track1).build();
            return Track2.builder().track(track2).build();
        };
    }

    static String answer(Object result) {
        if (result instanceof Track2 track) {
            return track.getPan() + "," + track.getExp();
        }
        BankCardMagneticTrack stripe = (BankCardMagneticTrack) result;
        return stripe.getTrack2().getAccountNumber().getAccountNumber() + "," + stripe.getTrack1().getServiceCode();
    }

    public static void main(String[] arguments) throws Exception {
        String line = Files.readString(Path.of(arguments[2]), StandardCharsets.ISO_8859_1);
        Parser parser = parser(arguments[0], arguments[1], line);
        System.out.println(answer(parser.parse()));
        BufferedReader counts = new BufferedReader(new InputStreamReader(System.in));
        for (String count = counts.readLine(); count != null; count = counts.readLine()) {
            long from = cpu();
            for (long left = Long.parseLong(count); left > 0; left--) {
                kept = parser.parse();
            }
            System.out.println(cpu() - from);
        }
    }
}
